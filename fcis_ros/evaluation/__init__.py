"""COCO AP, mAP^r and the report that shows them."""

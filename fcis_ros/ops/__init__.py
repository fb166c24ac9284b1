"""The per-ROI operators of FCIS. The model imports them from here and nowhere else."""

from fcis_ros.ops.reference import box_deltas, class_masks, class_scores, nms, vote_masks

__all__ = ["box_deltas", "class_masks", "class_scores", "nms", "vote_masks"]

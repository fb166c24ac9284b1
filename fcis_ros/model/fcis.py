"""The path of an image through the network, as code."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbone import STRIDE, ResNet
from fcis_ros.model.fusion import FusedRois, fuse
from fcis_ros.model.proposals import RPN, propose
from fcis_ros.model.score_maps import ScoreMaps
from fcis_ros.model.voting import Votes, to_instances, vote
from fcis_ros.structures import Instances


def with_image_index(box: Tensor, index: int = 0) -> Tensor:
    """Boxes [R, 4] -> ROIs [R, 5] of one image."""
    return F.pad(box, (1, 0), value=index)


def run_capacity(device: torch.device, width: int, instances: int) -> int | None:
    """Room for the run lengths of an image: on a GPU, where counting them first would make the host wait, four times what as
    many smooth masks as wide as the image need; on the CPU as much as it takes."""
    return None if device.type == "cpu" else 8 * width * instances


class FCIS(nn.Module):
    """Fully convolutional instance-aware semantic segmentation: three convolutional parts, no parameters per ROI.

    Attributes:
        ignored_rois: ROIs of the last image that were left out because their box or scores were not finite; a healthy network
            has none.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.backbone = ResNet(config)
        self.rpn = RPN(self.backbone.c4_channels, config)
        self.score_maps = ScoreMaps(self.backbone.c5_channels, config)
        self.ignored_rois = 0

    @torch.inference_mode()
    def forward(
        self,
        image: Tensor,
        scale: float,
        size: tuple[int, int],
        score_floor: float = 0.0,
        mark: Callable[[str], None] = lambda stage: None,
    ) -> Instances:
        """Finds the instances in one image.

        Args:
            image: [1, 3, H', W'] float32, as ``preprocess`` makes it.
            scale: resized pixels per original pixel.
            size: height and width of the original image.
            score_floor: least score of a returned instance; ``config.score_floor`` holds as well.
            mark: called with the name of each stage when it ends.

        Returns:
            Instances in the original image.
        """
        arguments = (image, scale, size, score_floor, mark)
        room = run_capacity(image.device, size[1], self.config.max_instances)
        votes = self.compute(*arguments, room).cpu()
        if room is not None and votes.ends[-1] > room:
            votes = self.compute(*arguments, None).cpu()
        self.ignored_rois = int(votes.ignored)
        instances = to_instances(votes, *size, self.config.class_names)
        mark("voting")
        return instances

    def compute(
        self,
        image: Tensor,
        scale: float,
        size: tuple[int, int],
        score_floor: float,
        mark: Callable[[str], None],
        run_capacity: int | None,
    ) -> Votes:
        """All that ``forward`` does before the download.

        With ``voting: released`` and a ``run_capacity`` no shape depends on a value and nothing waits for the device.
        """
        config, (height, width) = self.config, image.shape[2:]
        c4, c5 = self.backbone(image)
        mark("backbone")
        logits, deltas = self.rpn(c4)
        proposals = propose(logits[0], deltas[0], self.rpn.anchors, height, width, config)
        mark("proposals")
        score_maps, box_maps = self.score_maps(c5)
        mark("score_maps")
        fused = self.fuse_rounds(proposals.boxes, score_maps, box_maps, height, width)
        mark("rois")

        def masks_of_class(index: Tensor, labels: Tensor) -> Tensor:
            pair = ops.class_masks(score_maps, with_image_index(fused.boxes[index]), labels, config.bins, config.grid, STRIDE)
            return torch.sigmoid(pair[:, 1] - pair[:, 0])

        return vote(fused, masks_of_class, scale, *size, config, score_floor, run_capacity)

    def fuse_rounds(self, proposals: Tensor, score_maps: Tensor, box_maps: Tensor, height: int, width: int) -> FusedRois:
        """Scores and masks of the proposals [R, 4] and, in a second round, of the same boxes after regression (section 3.3).

        Both rounds read the same maps in one call; the box reported for an ROI is the ROI itself.
        """
        config = self.config
        rois = with_image_index(proposals)
        if config.rounds == 2:
            deltas = ops.box_deltas(box_maps, rois, config.bins, config.grid, STRIDE)
            rois = torch.cat([rois, ops.decode_rois(rois, deltas, config.box_stds, height, width)])
        return fuse(score_maps, rois, config)

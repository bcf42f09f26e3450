"""How good predictions are, over valid pixels: depth maps, masks and maps of classes, one file each."""

from minidepth.metrics.depth import CROPS as CROPS
from minidepth.metrics.depth import MAX_DEPTH_M as MAX_DEPTH_M
from minidepth.metrics.depth import METRICS as METRICS
from minidepth.metrics.depth import MIN_DEPTH_M as MIN_DEPTH_M
from minidepth.metrics.depth import MetricMean as MetricMean
from minidepth.metrics.depth import constant_guess as constant_guess
from minidepth.metrics.depth import crop_mask as crop_mask
from minidepth.metrics.depth import depth_acc as depth_acc
from minidepth.metrics.depth import depth_metrics as depth_metrics
from minidepth.metrics.depth import format_table as format_table
from minidepth.metrics.depth import prepare as prepare
from minidepth.metrics.labels import LABEL_METRICS as LABEL_METRICS
from minidepth.metrics.labels import LabelMean as LabelMean
from minidepth.metrics.labels import confusion as confusion
from minidepth.metrics.labels import format_label_table as format_label_table
from minidepth.metrics.labels import iou_per_class as iou_per_class
from minidepth.metrics.masks import MASK_METRICS as MASK_METRICS
from minidepth.metrics.masks import MaskMean as MaskMean
from minidepth.metrics.masks import format_mask_table as format_mask_table
from minidepth.metrics.masks import mask_metrics as mask_metrics

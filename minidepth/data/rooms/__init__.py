"""`rooms`: furnished rooms ray-cast in NumPy, so that training needs no download.

Public: `render`, `RoomView`, `RoomsDataset`.

Every picture is a room of its own, drawn from random numbers. parts.py says what a room is, scene.py invents one (with
style.py, furniture.py, things.py); cast.py finds what each ray meets; texture.py (with noise.py) and light.py colour
it, photo.py takes the picture, kinect.py spoils the depth as a Kinect does. view.py joins these for one picture,
workers.py for many on all cores, and dataset.py serves them.

Depth is in metres along the optical axis. A data set is rendered once and kept in a cache folder (cache.py).
"""

from minidepth.data.rooms.dataset import RoomsDataset
from minidepth.data.rooms.view import RoomView, render, render_room

__all__ = ["RoomView", "RoomsDataset", "render", "render_room"]

"""Stand-ins for data sets, drawn by the program and written in the layouts of the real ones (`minidepth data make`).

Read in this order: folder.py (what a kind is, and `make`), rooms.py, diode.py, animal.py, pets.py, modest.py. Equal
seeds give equal files. What a network learns here says little about photographs: it shows that a system trains.
"""

from minidepth.data.make.folder import KINDS, Made, make

__all__ = ["KINDS", "Made", "make"]

"""`rooms` against a slow ray caster that shares no code with it, and its cache against every kind of damage."""

from __future__ import annotations

import errno
import logging
import math

import numpy as np
import pytest

from minidepth.data.rooms import RoomsDataset, render, render_room
from minidepth.data.rooms import cache as rooms_cache
from minidepth.data.rooms import dataset as rooms
from minidepth.data.rooms import workers as rooms_workers
from minidepth.data.rooms.cast import screen_rectangles
from minidepth.data.rooms.kinect import projector_shadow
from minidepth.data.rooms.light import _shadow
from minidepth.data.rooms.noise import noise, pulse
from minidepth.data.rooms.parts import Light, Part, Piece, Room, camera_at, intrinsics
from minidepth.data.rooms.photo import antialias
from minidepth.data.rooms.scene import random_room
from minidepth.data.rooms.texture import Material
from minidepth.errors import InputError

GREY = Material("paint", (0.5, 0.5, 0.5))
SMALL = (24, 32)


# ----------------------------------------------------------------------------------------------- the slow ray caster


def slow_ray(room, camera, size, row, column):
    """(depth_m, piece number, normal in camera axes) of one pixel, in plain Python floats."""
    fx, fy = 518.8579 * size[1] / 640, 519.4696 * size[0] / 480
    cx, cy = (325.58246 + 0.5) * size[1] / 640 - 0.5, (253.73618 + 0.5) * size[0] / 480 - 0.5
    seen = [(column - cx) / fx, (row - cy) / fy, 1.0]
    direction = [sum(seen[k] * float(camera.axes[k][axis]) for k in range(3)) for axis in range(3)]
    origin = [float(p) for p in camera.position]
    best = (math.inf, 0, [0.0, 0.0, 0.0])
    for axis in range(3):  # the shell: six planes seen from inside
        for plane, sign in ((0.0, 1.0), (room.size[axis], -1.0)):
            if direction[axis] * sign < 0:
                t = (plane - origin[axis]) / direction[axis]
                if t < best[0]:
                    best = (t, 0, [sign if k == axis else 0.0 for k in range(3)])
    for number, piece in enumerate(room.pieces, 1):
        for part in piece.parts:
            t, normal = slow_sphere(origin, direction, part) if part.is_sphere else slow_box(origin, direction, part)
            if 0.05 < t < best[0]:
                best = (t, number, normal)
    return best[0], best[1], [sum(best[2][a] * float(camera.axes[k][a]) for a in range(3)) for k in range(3)]


def slow_sphere(origin, direction, part):
    offset = [o - c for o, c in zip(origin, part.centre)]
    a = sum(d * d for d in direction)
    b = 2 * sum(d * o for d, o in zip(direction, offset))
    c = sum(o * o for o in offset) - part.half[0] ** 2
    if b * b < 4 * a * c:
        return math.inf, None
    t = (-b - math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return t, [(o + t * d) / part.half[0] for o, d in zip(offset, direction)]


def slow_box(origin, direction, part):
    """Every face on its own: where does the ray meet its plane, and is that point on the face?"""
    c, s = math.cos(part.yaw), math.sin(part.yaw)
    box_axes = [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]
    offset = [o - m for o, m in zip(origin, part.centre)]
    o = [sum(x * e for x, e in zip(offset, axis)) for axis in box_axes]
    d = [sum(x * e for x, e in zip(direction, axis)) for axis in box_axes]
    best, normal = math.inf, None
    for axis in range(3):
        for sign in (-1.0, 1.0):
            if d[axis] * sign < 0:  # faces that look at the ray
                t = (sign * part.half[axis] - o[axis]) / d[axis]
                others = [k for k in range(3) if k != axis]
                if all(abs(o[k] + t * d[k]) <= part.half[k] for k in others) and t < best:
                    best, normal = t, [sign * e for e in box_axes[axis]]
    return best, normal


def assert_agrees(room, camera, size):
    view = render_room(room, camera, size, np.random.default_rng(0))
    wrong = 0
    for row in range(size[0]):
        for column in range(size[1]):
            depth_m, number, normal = slow_ray(room, camera, size, row, column)
            same = view.mask[row, column] == number and np.allclose(view.normals[row, column], normal, atol=1e-3)
            wrong += not (same and abs(view.depth_m[row, column] - depth_m) < 2e-4 * depth_m)
    assert wrong <= 1  # one ray may pass an edge by less than float32 can tell


def hand_made_room(*parts):
    pieces = [Piece([part], part.centre, part.half, part.yaw) for part in parts]
    light = Light((2.0, 2.0, 2.3), (1.0, 1.0, 1.0), 3.0, True)
    return Room((4.0, 5.0, 2.5), (GREY,) * 6, pieces, [light], (0.3, 0.3, 0.3))


def test_box_and_sphere_against_the_slow_ray_caster():
    box = Part((1.5, 3.0, 0.4), (0.5, 0.3, 0.4), GREY, yaw=0.5)
    upright = Part((3.2, 2.2, 0.5), (0.2, 0.3, 0.5), GREY, yaw=-math.pi / 2)
    sphere = Part((2.2, 2.4, 0.9), (0.35, 0.35, 0.35), GREY, is_sphere=True)
    camera = camera_at((2.1, 0.4, 1.5), yaw=0.1, pitch=0.25, roll=0.05)
    assert_agrees(hand_made_room(box, upright, sphere), camera, SMALL)


def test_a_box_that_reaches_behind_the_camera():
    board = Part((2.0, 1.0, 1.1), (0.8, 1.0, 0.02), GREY, yaw=0.2)  # under the camera, from behind it to before it
    assert_agrees(hand_made_room(board), camera_at((2.0, 0.6, 1.4), yaw=0.0, pitch=0.1), SMALL)


def test_screen_rectangles_hold_the_hulls():
    """Random points between the corners of boxes all around the camera: those before it must land in the rectangle."""
    rng = np.random.default_rng(0)
    camera = camera_at((0.0, 0.0, 1.2), yaw=0.3, pitch=0.2, roll=0.1)
    hulls = rng.uniform(-1, 1, (250, 1, 3)) * 2 + rng.uniform(-1, 1, (250, 8, 3))
    fx, fy, cx, cy = intrinsics(SMALL)
    cut, unseen = 0, 0
    for hull, where in zip(hulls, screen_rectangles(hulls, camera, (49, 65))):
        seen = (rng.dirichlet(np.full(8, 0.3), 1000) @ hull - camera.position) @ camera.axes.T
        cut += bool((seen[:, 2] < 0).any() and (seen[:, 2] > 0.05).any())
        x, y, z = seen[seen[:, 2] > 0.05].T
        column, row = 2 * (fx * x / z + cx) + 1, 2 * (fy * y / z + cy) + 1
        on = (column > 0) & (column < 64) & (row > 0) & (row < 48)
        unseen += where is None
        if where is None:
            assert not on.any()
            continue
        rows, columns = where
        assert ((rows.start <= row[on]) & (row[on] <= rows.stop - 1)).all()
        assert ((columns.start <= column[on]) & (column[on] <= columns.stop - 1)).all()
    assert cut > 50 and unseen > 50  # and not simply the whole screen


@pytest.mark.parametrize("seed", range(4))
def test_random_rooms_against_the_slow_ray_caster(seed):
    room, camera = random_room(np.random.default_rng(seed))
    assert_agrees(room, camera, (15, 20))


# ------------------------------------------------------------------------------------------------- what a view means


def test_depth_is_along_the_axis_and_in_metres():
    view = render_room(hand_made_room(), camera_at((2.0, 2.0, 1.3), yaw=0.0), (64, 80), np.random.default_rng(0))
    wall = (view.normals[..., 2] < -0.99) & (view.mask == 0)
    assert wall.sum() > 1000
    np.testing.assert_allclose(view.depth_m[wall], 3.0, rtol=1e-5)  # the whole wall, not only its middle


def test_camera_angles():
    """Left, down and clockwise are positive; each alone, by the camera's axes (right, down, forward) in the world."""
    for angles, axis, direction in [
        ((0.3, 0.0, 0.0), 2, (-math.sin(0.3), math.cos(0.3), 0)),
        ((0.0, 0.3, 0.0), 2, (0, math.cos(0.3), -math.sin(0.3))),
        ((0.0, 0.0, 0.3), 0, (math.cos(0.3), 0, -math.sin(0.3))),
        ((0.0, 0.0, 0.0), 1, (0, 0, -1)),
    ]:
        axes = camera_at((0, 0, 1), *angles).axes
        np.testing.assert_allclose(axes[axis], direction, atol=1e-12)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_walls_are_planes_along_the_normals(seed):
    view = render(np.random.default_rng(seed), (60, 80))
    fx, fy, cx, cy = 518.8579 / 8, 519.4696 / 8, 326.08246 / 8 - 0.5, 254.23618 / 8 - 0.5
    rows, columns = np.indices(view.depth_m.shape)
    point = np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones_like(rows)], -1) * view.depth_m[..., None]
    np.testing.assert_allclose(np.linalg.norm(view.normals, axis=-1), 1, atol=1e-4)
    assert ((point * view.normals).sum(-1) < 0).all()  # towards the camera
    shell = view.mask == 0
    kinds = np.unique(np.round(view.normals[shell], 3), axis=0)
    assert 2 <= len(kinds) <= 6
    for normal in kinds:
        on = shell & (np.abs(view.normals - normal).max(-1) < 2e-3)
        centred = point[on] - point[on].mean(0)
        fitted = np.linalg.svd(centred, full_matrices=False)[2][2]  # direction of least spread
        if on.sum() > 50 and np.linalg.svd(centred, compute_uv=False)[1] > 0.5:
            assert abs(fitted @ view.normals[on][0]) > 1 - 1e-5
        assert np.ptp(point[on] @ view.normals[on][0]) < 2e-3


def test_types_sizes_and_masks():
    view = render(np.random.default_rng(5), (33, 47))
    assert view.image.shape == (33, 47, 3) and view.image.dtype == np.uint8
    assert view.depth_m.shape == (33, 47) and view.depth_m.dtype == np.float32
    assert view.normals.shape == (33, 47, 3) and view.normals.dtype == np.float32
    assert view.mask.dtype == np.int32 and view.valid.dtype == bool and view.valid.all()
    assert 2 < len(np.unique(view.mask)) < 30


def test_depths_are_those_of_rooms():
    depth_m = np.stack([render(np.random.default_rng([8, i]), SMALL).depth_m for i in range(40)])
    assert 0.3 < depth_m.min() and depth_m.max() < 9
    assert 2.2 < depth_m.mean() < 3.3


def test_pictures_are_well_exposed_and_differ():
    views = [render(np.random.default_rng([8, i]), SMALL).image for i in range(20)]
    brightness = [view.mean() for view in views]
    assert 60 < min(brightness) and max(brightness) < 210
    assert len({view.tobytes() for view in views}) == 20


def test_equal_generators_give_equal_views():
    one, two = (render(np.random.default_rng(3), SMALL, kinect=True) for _ in range(2))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)


# -------------------------------------------------------------------------------------------------- light and colour


def test_shadow_against_steps_along_the_ray():
    """Where the ray from the lamp runs through 3 cm of an obstacle or more it is dark; in between in proportion."""
    box = Part((1.5, 3.0, 0.8), (0.4, 0.3, 0.1), GREY, yaw=0.4)
    room = hand_made_room(box)
    camera = camera_at((2.1, 0.4, 1.5), yaw=0.1, pitch=0.3)
    view = render_room(room, camera, SMALL, np.random.default_rng(0))
    rows, columns = np.indices(SMALL)
    seen = np.stack([(columns + 0.5) / 32 * 640 - 0.5, (rows + 0.5) / 24 * 480 - 0.5], -1) - (325.58246, 253.73618)
    ray = np.concatenate([seen / (518.8579, 519.4696), np.ones((*SMALL, 1))], -1)
    point = np.asarray(camera.position) + (ray * view.depth_m[..., None]) @ camera.axes
    lamp = np.asarray(room.lights[0].position)
    away = (point - lamp).astype(np.float32)
    length = np.linalg.norm(away, axis=-1)
    direction = (away[..., 0], away[..., 1], away[..., 2])
    lit = _shadow(room, [box], camera, room.lights[0], direction, (1 / length).astype(np.float32))

    steps = np.linspace(0, 1, 4000, endpoint=False)
    c, s = np.cos(0.4), np.sin(0.4)
    expected = np.empty(SMALL)
    for row, column in np.ndindex(*SMALL):
        x, y, z = (lamp + steps[:, None] * (point[row, column] - lamp) - box.centre).T
        within = (np.abs(c * x + s * y) < 0.4) & (np.abs(c * y - s * x) < 0.3) & (np.abs(z) < 0.1)
        expected[row, column] = 1 - min(within.mean() * length[row, column] / 0.03, 1)
    floor = view.mask == 0
    assert 0.02 < (expected[floor] < 0.5).mean() < 0.5
    np.testing.assert_allclose(lit[floor], expected[floor], atol=0.12)


def test_a_shadow_is_darker_in_the_picture():
    board = Part((2.0, 2.0, 1.0), (0.5, 0.5, 0.02), GREY)
    camera = camera_at((2.0, 0.1, 1.6), yaw=0.0, pitch=0.5)
    lit = [
        render_room(hand_made_room(board._replace(casts_shadow=on)), camera, (48, 64), np.random.default_rng(1)).image
        for on in (True, False)
    ]
    change = lit[1].astype(float).mean(-1) - lit[0].astype(float).mean(-1)
    assert (change > 20).sum() > 50


def test_pulse_is_the_mean_over_the_pixel():
    x = np.random.default_rng(0).uniform(-3, 3, 20)
    for blur in (0.05, 0.7, 3.3):
        window = np.linspace(-0.5, 0.5, 20001) * blur
        mean = np.mean((x[:, None] + window) % 1 < 0.3, axis=1)
        np.testing.assert_allclose(pulse(x, 0.3, np.full(20, blur)), mean, atol=1e-3)


def test_noise_fades_with_the_pixel_and_repeats():
    x, y = np.random.default_rng(0).uniform(-500, 500, (2, 4000)).astype(np.float32)
    spread = [float(noise(x, y, np.full_like(x, blur)).std()) for blur in (0.5, 4, 32)]
    assert 0.4 < spread[0] < 1.2 and spread[0] > 2 * spread[1] > 4 * spread[2]
    sharp = np.full_like(x, 0.5)
    np.testing.assert_allclose(noise(x, y, sharp), noise(x + 256, y - 256, sharp), atol=2e-3)


def test_antialias_by_hand():
    """Two pixels of 8 x 8 rows: the edge runs through the left one's right half-points."""
    surface = np.zeros((5, 5), np.int16)
    surface[:, 2:] = 8  # columns 1 and 3 are the pixels' centres, column 2 lies between them
    colour = np.zeros((2, 2, 3), np.float32)
    colour[:, 1] = 1.0
    mixed = antialias(colour, surface)
    np.testing.assert_allclose(mixed[:, 0], 0.25)  # weights 1 + 2 + 1 of 16 lie on the other surface
    np.testing.assert_allclose(mixed[:, 1], 1.0)


# ------------------------------------------------------------------------------------------------------------ kinect


def test_kinect_changes_depth_only():
    exact, measured = (render(np.random.default_rng(4), (96, 128), kinect) for kinect in (False, True))
    np.testing.assert_array_equal(exact.image, measured.image)
    np.testing.assert_array_equal(exact.normals, measured.normals)
    np.testing.assert_array_equal(measured.valid, measured.depth_m > 0)
    assert not np.array_equal(exact.depth_m, measured.depth_m)


def test_kinect_holes_and_noise():
    error, holes = [], []
    for seed in range(15):
        exact, measured = (render(np.random.default_rng([2, seed]), (64, 80), kinect) for kinect in (False, True))
        holes.append(1 - measured.valid.mean())
        on = measured.valid
        error.append(np.stack([exact.depth_m[on], measured.depth_m[on] - exact.depth_m[on]]))
    assert 0.01 < np.mean(holes) < 0.25 and max(holes) < 0.6
    depth_m, error_m = np.concatenate(error, axis=1)
    for low, high in ((1, 2), (2, 3), (3, 5)):  # sigma = 1.4e-3 z^2, and the steps of 1/8 pixel add a little
        within = (depth_m >= low) & (depth_m < high)
        assert 1.2e-3 < np.std(error_m[within] / depth_m[within] ** 2) < 2.0e-3


def test_projector_shadow_by_hand():
    """f b = 8 pixel metres. A thing's left edge, column 20 at 1 m, lands at 12; so does column 16 of a wall at 2 m."""
    depth_m = np.full((1, 40), 2.0, np.float32)
    depth_m[0, 20:26] = 1.0
    shadow = projector_shadow(depth_m, 8 / 0.075)
    assert np.flatnonzero(shadow[0]).tolist() == [17, 18, 19]


# ------------------------------------------------------------------------------------------------- data set and cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "minidepth"


def small(**options):
    return RoomsDataset(**{"count": 5, "size": SMALL, **options})


def same(one, two):
    return all(np.array_equal(a, b) for i in range(len(one)) for a, b in zip(one[i], two[i]))


def never(*args, **kwargs):
    raise AssertionError("rendered again")


def test_samples_and_messages(cache):
    data = small()
    sample = data[2]
    assert len(data) == 5 and data.name == "rooms" and data.source(2) == "rooms, split train, seed 0, frame 2"
    assert sample.image.dtype == np.uint8 and sample.depth_m.dtype == np.float32 and sample.valid.all()
    sample.image[:] = 0  # a copy of one's own
    assert data[2].image.any()
    with pytest.raises(IndexError):
        data[5]


def test_default_counts():
    assert len(RoomsDataset()) == 1200 and len(RoomsDataset(split="test")) == 64


def test_depth_is_rounded_to_millimetres(cache):
    exact = render(np.random.default_rng([0, 0, 3]), SMALL)
    assert np.abs(small()[3].depth_m - exact.depth_m).max() <= 0.5005e-3
    np.testing.assert_array_equal(small()[3].image, exact.image)


def test_splits_and_seeds_share_no_room(cache):
    data = [small(cache=False), small(cache=False, split="test"), small(cache=False, seed=1)]
    seen = {sample.depth_m.tobytes() for one in data for sample in (one[i] for i in range(5))}
    assert len(seen) == 15


def test_frames_do_not_depend_on_processes_or_count(cache, monkeypatch):
    monkeypatch.setattr(rooms_workers, "FRAMES_WORTH_A_PROCESS", 2)
    monkeypatch.setattr(rooms_workers, "cores", lambda: 3)
    started = []
    read_block = rooms_workers._read_block
    monkeypatch.setattr(rooms_workers, "_read_block", lambda *a: started.append(read_block(*a)) or started[-1])
    many = small(count=7)
    many[0]
    assert started == [True, True, True]
    assert same(small(cache=False), many) and same(many, small(count=7, cache=False))


@pytest.mark.parametrize("python", ["", "/does/not/exist", "false"])
def test_without_processes_frames_are_rendered_here(cache, monkeypatch, python):
    monkeypatch.setattr(rooms_workers, "FRAMES_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(rooms_workers, "cores", lambda: 2)
    monkeypatch.setattr(rooms_workers.sys, "executable", python)
    assert same(small(count=2), small(count=2, cache=False))


@pytest.mark.parametrize("kinect", [False, True])
def test_cache_round_trip(cache, monkeypatch, kinect):
    first = small(kinect=kinect)
    first[0]
    (file,) = cache.iterdir()
    assert file.name.endswith(f"-train-seed0-5x24x32{'-kinect' if kinect else ''}.npy")
    fresh = small(kinect=kinect, cache=False)
    assert same(first, fresh)
    monkeypatch.setattr(rooms, "render_frames", never)
    assert same(first, small(kinect=kinect))


def test_settings_have_their_own_files(cache):
    for options in ({}, {"split": "test"}, {"seed": 1}, {"kinect": True}, {"count": 4}, {"size": (16, 24)}):
        small(**options)[0]
    assert len(list(cache.iterdir())) == 6


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1000])


def flip_a_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(bytes(content))


def empty(file):
    file.write_bytes(b"")


def replace_by_something_else(file):
    np.save(file, np.zeros(3))


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, empty, replace_by_something_else])
def test_a_damaged_file_is_made_anew(cache, damage):
    first = [small()[i] for i in range(5)]
    (file,) = cache.iterdir()
    good = file.read_bytes()
    damage(file)
    again = small()
    assert all(np.array_equal(a, b) for i in range(5) for a, b in zip(first[i], again[i]))
    assert file.read_bytes() == good and len(list(cache.iterdir())) == 1


def test_no_folder_to_write_to(tmp_path, monkeypatch, caplog):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker))
    monkeypatch.setattr(rooms_cache.tempfile, "gettempdir", lambda: str(blocker))
    with caplog.at_level(logging.WARNING, "minidepth"):
        data = small()
        assert same(data, small(cache=False))
    assert len(caplog.records) == 1 and "rooms: no cache" in caplog.text and "\n" not in caplog.records[0].getMessage()


def test_the_temporary_folder_steps_in(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker))
    monkeypatch.setattr(rooms_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert rooms_cache.cache_folder().parent == tmp_path


def test_home_is_used_without_xdg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/paths/do/not/count")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert rooms_cache.cache_folder() == tmp_path / ".cache" / "minidepth"


def test_disk_full_while_writing(cache, monkeypatch, caplog):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rooms_cache.os, "fsync", full)
    with caplog.at_level(logging.WARNING, "minidepth"):
        data = small()
        assert same(data, small(cache=False))
    assert len(caplog.records) == 1 and "No space left on device" in caplog.text
    assert list(cache.iterdir()) == []  # nothing half-written stays


def test_a_changed_renderer_has_other_files(cache, monkeypatch):
    small()[0]
    monkeypatch.setattr(rooms, "renderer_version", lambda: "00000000")
    small()[0]
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"split": "val"}, "rooms: split is 'val'; it must be one of train, test"),
        ({"count": 0}, "rooms: count is 0 and seed 0"),
        ({"seed": -1}, "rooms: count is 5 and seed -1"),
        ({"size": (4, 40)}, "rooms: size is 4x40 .*at least 8x8"),
    ],
)
def test_bad_input(options, text):
    with pytest.raises(InputError, match=text):
        small(**options)

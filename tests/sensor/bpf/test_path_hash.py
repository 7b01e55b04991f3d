from driftline.sensor.bpf.path_hash import hash_name, hash_path, is_hashable


def test_path_hashes_combine_components_from_the_root() -> None:
    assert hash_path(b"/a", 7) == hash_name(b"a", 7)
    assert len({hash_path(path, 7) for path in (b"/a/b", b"/b/a", b"/ab", b"/a", b"/a/b/")}) == 5


def test_the_seed_changes_the_hash() -> None:
    assert hash_path(b"/bin/sh", 1) != hash_path(b"/bin/sh", 2)


def test_paths_beyond_the_kernel_limits_are_not_hashable() -> None:
    assert is_hashable(b"/" + b"a" * 1023)
    assert not is_hashable(b"/" + b"a" * 1024)
    assert is_hashable(b"/a" * 32)
    assert not is_hashable(b"/a" * 33)

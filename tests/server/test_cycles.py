from tests.server.cycles import run


def test_listeners_that_are_cut_off_leave_nothing_behind() -> None:
    left = run(100)
    assert left["sessions"] == 0
    assert left["threads_more"] <= 0
    assert left["files_more"] <= 0
    assert left["memory_grew"] < 0.05

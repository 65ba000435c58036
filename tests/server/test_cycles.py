from tests.server.cycles import run


def test_listeners_that_are_cut_off_leave_nothing_behind() -> None:
    left = run(100)
    assert (left["sessions"], left["threads_more"], left["files_more"]) == (0, 0, 0)
    assert left["memory_grew"] < 0.05

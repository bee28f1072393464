"""Which validation counts as the best, and how long it has not become better."""

from geoseg.learn.state import Course


def test_the_best_and_of_equal_ones_the_last_is_kept() -> None:
    course = Course()
    kept, stale = [], []
    for step, score in enumerate([0.0, 0.0, 0.3, 0.2, 0.3, 0.1, 0.4], start=1):
        course.step = step
        kept.append(course.add({"val_mean_iou": score}))
        stale.append(course.stale)
    assert kept == [True, True, True, False, True, False, True]
    # Early stopping waits for a rise, not for a draw.
    assert stale == [0, 1, 0, 1, 2, 3, 0]
    assert (course.best, course.best_step) == (0.4, 7)
    assert course.scores == [0.0, 0.0, 0.3, 0.2, 0.3, 0.1, 0.4]

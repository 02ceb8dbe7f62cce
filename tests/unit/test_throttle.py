"""A person's pace: bursts pass, a flood is stopped and told once, and nobody is remembered for ever."""

from bot.middlewares import BURST, PAUSE, PER_SECOND, REMEMBERED, Bucket, Throttle, Turn


def test_a_burst_passes_and_the_rest_waits_until_the_pause_is_over() -> None:
    bucket = Bucket(since=0.0)
    assert [bucket.take(0.0) for _ in range(int(BURST))] == [Turn.GO] * int(BURST)
    assert bucket.take(0.0) is Turn.PAUSE
    assert [bucket.take(PAUSE * part / 10) for part in range(10)] == [Turn.WAIT] * 10
    assert bucket.take(PAUSE) is Turn.GO


def test_writing_on_during_the_pause_does_not_make_it_longer() -> None:
    bucket = Bucket(since=0.0)
    moment = 0.0
    while bucket.take(moment) is Turn.GO:
        pass
    told = 1
    for _ in range(1000):
        moment += 0.01
        told += bucket.take(moment) is Turn.PAUSE
    assert told <= 1 + moment / PAUSE


def test_an_unhurried_person_is_never_stopped() -> None:
    bucket = Bucket(since=0.0)
    assert all(bucket.take(second / PER_SECOND) is Turn.GO for second in range(10_000))


def test_memory_is_bounded_and_the_latest_are_kept() -> None:
    throttle = Throttle(lambda: 0.0)
    first = throttle.bucket(0)
    for person in range(1, REMEMBERED):
        throttle.bucket(person)
    assert throttle.bucket(0) is first
    throttle.bucket(REMEMBERED)
    assert throttle.bucket(0) is first
    assert len(throttle.people) == REMEMBERED

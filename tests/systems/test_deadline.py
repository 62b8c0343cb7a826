"""The two ways in which a call gets an end of our own; what each client does with them is in test_deadlines."""

import os
import socket
import threading
from contextlib import suppress

import pytest

from opslib.errors import Unreachable
from opslib.systems.deadline import LOOK, deadline, shut
from opslib.systems.pending import Pending, given_up

LONG = 60.0


def threads():
    return {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}


def test_a_block_that_ends_in_time_is_let_alone():
    rung, before = [], threads()
    with deadline(LONG, "It", lambda: rung.append(1)):
        assert len(threads() - before) == 1
    assert threads() - before == set()
    assert rung == []


def test_a_block_that_is_too_slow_is_made_to_fail_and_the_failure_says_what_and_what_to_do():
    ours, theirs = socket.socketpair()
    with (
        pytest.raises(Unreachable) as slow,
        deadline(0.01, "The answer", lambda: shut(ours.fileno())),
    ):
        raise EOFError(ours.recv(1))
    assert (slow.value.message, slow.value.next_step) == ("The answer gave no answer within 0.01 s.", LOOK)
    assert slow.value.kind == "slow"
    assert isinstance(slow.value.__cause__, EOFError)
    assert theirs.recv(1) == b""
    ours.close()
    theirs.close()


def test_who_asks_can_say_what_to_do_then():
    over = threading.Event()
    with pytest.raises(Unreachable) as slow, deadline(0, "It", over.set, "Wait."):
        raise OSError(over.wait(LONG))
    assert slow.value.next_step == "Wait."


def test_a_block_that_fails_in_time_fails_as_it_does_and_one_that_ends_late_has_ended():
    with pytest.raises(KeyError), deadline(LONG, "It", lambda: None):
        raise KeyError
    over = threading.Event()
    with deadline(0, "It", over.set):
        assert over.wait(LONG)


def test_what_cannot_be_ended_does_no_harm_and_is_over_when_the_block_is_left():
    over = threading.Event()

    def expire():
        over.set()
        raise OSError

    with deadline(0, "It", expire):
        assert over.wait(LONG)
    assert not threads()


def test_a_timer_does_not_keep_the_program_from_its_end():
    with deadline(LONG, "It", lambda: None):
        assert all(thread.daemon for thread in threads())


def test_to_shut_what_is_no_socket_does_nothing():
    shut(-1)
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    ours.close()
    shut(number)
    theirs.close()


def same(handle, said):
    """Return whether a number of this process stands for the file of that status."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), said)
    return False


def test_a_shut_socket_can_neither_read_nor_write_and_stays_its_owners():
    ours, theirs = socket.socketpair()
    said = os.fstat(ours.fileno())
    shut(ours.fileno())
    assert sum(same(handle, said) for handle in range(512)) == 1
    assert ours.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        ours.send(b"x")
    assert ours.fileno() >= 0
    ours.close()
    theirs.close()


# Calls that cannot be broken off


def test_a_call_gives_its_value_or_its_error():
    assert Pending("It", LONG, lambda: 7).result() == 7
    assert Pending("It", LONG, lambda: None).result() is None
    with pytest.raises(KeyError):
        Pending("It", LONG, lambda: {}["x"]).result()
    with pytest.raises(KeyboardInterrupt):
        Pending("It", LONG, interrupted).result()


def interrupted():
    raise KeyboardInterrupt


def test_a_call_that_is_too_slow_is_given_up_and_told_so():
    go, told = threading.Event(), []

    def work():
        told.append(given_up())
        go.wait(LONG)
        told.append(given_up())
        return "late"

    discarded = threading.Event()
    values = []

    def discard(value):
        values.append(value)
        discarded.set()

    call = Pending("S3", 0.01, work, discard)
    with pytest.raises(Unreachable) as slow:
        call.result()
    assert slow.value.message == "S3 gave no answer within 0.01 s."
    assert slow.value.next_step == "Look at the network and at the service's state."
    assert slow.value.kind == "slow"
    go.set()
    assert discarded.wait(LONG)
    assert (told, values) == ([False, True], ["late"])
    with pytest.raises(Unreachable):
        call.result()


@pytest.mark.parametrize("raises", [False, True])
def test_what_comes_of_a_call_that_was_given_up_is_never_its_result(raises):
    go = threading.Event()

    def work():
        go.wait(LONG)
        if raises:
            raise KeyError
        return "late"

    call = Pending("It", 0, work)
    with suppress(Unreachable):
        call.result()
    go.set()
    call._thread.join(LONG)
    with pytest.raises(Unreachable):
        call.result()


def test_a_value_in_time_is_not_discarded_and_the_time_counts_from_the_beginning():
    thrown = []
    call = Pending("It", LONG, lambda: 7, thrown.append)
    call._thread.join(LONG)
    assert (call.result(), call.result(), thrown) == (7, 7, [])
    assert call._thread.daemon


def test_outside_of_such_calls_nothing_is_given_up():
    assert not given_up()

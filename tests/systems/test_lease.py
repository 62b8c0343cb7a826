"""Leases against S3's interface: moto's server behind a front that can fail, and a store in memory."""

import ast
import json
import platform
import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings as scale
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from opslib.errors import Refused
from opslib.systems import lease as leases
from opslib.systems.lease import Held, Owner, Sighting, acquire
from opslib.systems.lease_store import LeaseStore, Missing, StoreError, StoreTime, boot, clock, clock_name
from opslib.systems.object_client import connect
from tests.scale import count
from tests.systems.lease_front import FAULTS, Front, MemoryStore
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "leases-of-a-test"
TTL = 10.0
LARGEST = 8192


class Clock:
    """A clock that a test moves."""

    def __init__(self, rate=1.0, start=1000.0):
        self.rate, self.now = rate, start

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds * self.rate


def someone(name="run-a", lock=""):
    return Owner(name, "ann", "host-a", "2026-11-23T13:06:14Z", lock)


@pytest.fixture
def memory():
    return MemoryStore()


@pytest.fixture
def ticks():
    return Clock()


@pytest.fixture
def take(memory, ticks):
    """Take the one lease of the store in memory."""

    def take(name="run-a", *, lock="", sighting=None, ttl=TTL, by=ticks):
        store = LeaseStore(memory, "b", "leases/lab/database.json", seconds=5, clock=by)
        return acquire(store, someone(name, lock), ttl=ttl, sighting=sighting, clock=by)

    return take


def refused(take, *args, **more):
    with pytest.raises(Held) as caught:
        take(*args, **more)
    return caught.value


def test_the_first_taking_has_the_number_one_and_each_later_one_the_next(take):
    for fence in range(1, 5):
        lease = take()
        assert (lease.fence, lease.valid) == (fence, True)
        lease.release()
        assert not lease.valid


def test_who_has_a_lease_is_told_to_the_next_and_how_long_it_may_last(take):
    take("run-a")
    held = refused(take, "run-b")
    assert "run-a, started by ann@host-a, has a lease" in held.message
    assert "in 10 s" in held.next_step
    assert held.record.run == "run-a"


def test_a_lease_is_valid_for_half_its_time_and_renewing_it_in_time_makes_it_last(take, ticks):
    lease = take()
    for _ in range(10):
        ticks.pass_by(4.9)
        lease.check()
        lease.renew()
    ticks.pass_by(5)
    with pytest.raises(Refused, match="it was not renewed for 5 s"):
        lease.check()


def test_validity_counts_from_before_the_renewal_was_sent(take, ticks, memory):
    lease = take()
    memory.before = lambda: ticks.pass_by(4)
    lease.renew()
    ticks.pass_by(0.9)
    assert lease.valid
    ticks.pass_by(0.1)
    assert not lease.valid


def test_validity_counts_from_before_the_taking_was_sent(take, ticks, memory):
    memory.before = lambda: ticks.pass_by(6)
    assert not take().valid


def test_a_renewal_that_comes_too_late_does_not_make_a_lease_valid_again(take, ticks, memory):
    lease = take()
    memory.before = lambda: ticks.pass_by(6)
    lease.renew()
    assert not lease.valid
    lease.renew()
    with pytest.raises(Refused, match="not renewed for 5 s"):
        lease.check()


def test_a_lease_that_ran_out_while_its_renewal_was_under_way_stays_lost(take, ticks, memory):
    lease = take()
    ticks.pass_by(4)
    memory.before = lambda: ticks.pass_by(1.5)
    lease.renew()
    assert not lease.valid


def test_an_owner_that_was_silent_for_its_whole_time_is_followed_by_the_next(take, ticks):
    old = take("run-a")
    seen = refused(take, "run-b").sighting
    ticks.pass_by(9.9)
    assert refused(take, "run-b", sighting=seen).sighting == seen
    ticks.pass_by(0.1)
    new = take("run-b", sighting=seen)
    assert (new.fence, new.valid, old.valid) == (2, True, False)


def test_the_owners_time_counts_and_not_that_of_the_one_who_asks(take, ticks):
    take("run-a", ttl=60.0)
    seen = refused(take, "run-b", ttl=1.0).sighting
    ticks.pass_by(59)
    assert "in 1 s" in refused(take, "run-b", ttl=1.0, sighting=seen).next_step


def test_an_owner_that_renewed_meanwhile_was_not_silent(take, ticks):
    old = take("run-a")
    seen = refused(take, "run-b").sighting
    ticks.pass_by(4)
    old.renew()
    ticks.pass_by(6)
    assert refused(take, "run-b", sighting=seen).sighting != seen


@pytest.mark.parametrize("change", [{"clock": "another start of the machine"}, {"at": 1e9}, {"etag": '"other"'}])
def test_what_was_seen_by_another_clock_or_of_another_object_counts_for_nothing(take, ticks, change):
    take("run-a")
    seen = refused(take, "run-b").sighting
    ticks.pass_by(11)
    other = Sighting(**{**vars(seen), **change})
    assert refused(take, "run-b", sighting=other).sighting.at == ticks.now


def test_who_holds_the_dead_owners_local_lock_follows_it_at_once(take):
    take("run-a", lock="boot:1:2")
    refused(take, "run-b", lock="boot:1:3")
    refused(take, "run-b", lock="")
    assert take("run-b", lock="boot:1:2").fence == 2


def test_an_owner_without_a_local_lock_is_never_taken_for_dead(take):
    take("run-a", lock="")
    refused(take, "run-b", lock="")


def test_a_holder_whose_lease_was_taken_over_is_told_by_whom(take, ticks):
    old = take("run-a", lock="same")
    take("run-b", lock="same")
    old.renew()
    with pytest.raises(Refused, match="run-b took it with the number 2"):
        old.check()


def test_a_holder_whose_object_was_removed_has_lost_its_lease(take, memory):
    lease = take()
    memory.objects.clear()
    lease.renew()
    with pytest.raises(Refused, match="its object was removed"):
        lease.check()


def test_a_lost_lease_is_not_released_from_its_new_owner(take, memory):
    old = take("run-a", lock="same")
    new = take("run-b", lock="same")
    there = memory.objects[KEY]
    old.release()
    assert memory.objects[KEY] == there
    new.renew()
    assert new.valid


def test_a_renewal_comes_every_quarter_of_the_time_and_sooner_only_while_one_is_overdue(take, memory):
    lease = take(ttl=40)
    assert lease.pause == 10
    memory.fault = "lost"
    lease.renew()
    assert lease.pause == 2.5
    lease.renew()
    assert lease.pause == 10


def test_what_ended_a_lease_first_is_what_is_told(take, memory, ticks):
    lease = take("run-a", lock="same")

    def meanwhile():
        take("run-b", lock="same")
        ticks.pass_by(100)
        assert not lease.valid

    memory.before = meanwhile
    lease.renew()
    with pytest.raises(Refused, match="not renewed for 5 s"):
        lease.check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_taking_without_an_answer_is_ours_only_when_the_store_says_so(take, memory, fault):
    memory.fault = fault
    if fault == "unanswered":
        lease = take("run-a")
        assert (lease.fence, lease.valid) == (1, True)
        lease.renew()
        assert lease.valid
    else:
        with pytest.raises(Refused, match="could not be taken"):
            take("run-a")
        memory.arrive()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_renewal_without_an_answer_is_followed_by_one_with_an_answer(take, memory, ticks, fault):
    lease = take()
    ticks.pass_by(3)
    memory.fault = fault
    lease.renew()
    ticks.pass_by(1.5)
    lease.renew()
    memory.arrive()
    lease.renew()
    ticks.pass_by(4.9)
    assert lease.valid
    lease.release()
    assert take("run-b").fence == 2


def test_a_renewal_without_an_answer_does_not_lengthen_the_lease(take, memory, ticks):
    lease = take()
    ticks.pass_by(3)
    memory.fault = "unanswered"
    lease.renew()
    ticks.pass_by(2)
    assert not lease.valid


@pytest.mark.parametrize("fault", FAULTS)
def test_a_release_without_an_answer_raises_nothing(take, memory, fault):
    lease = take(lock="same")
    memory.fault = fault
    lease.release()
    memory.arrive()
    assert take("run-b", lock="same").fence == 2


def test_a_renewal_that_arrives_late_does_not_undo_the_release(take, memory):
    lease = take()
    memory.fault = "late"
    lease.renew()
    lease.release()
    memory.arrive()
    assert take("run-b").fence == 2


def test_a_release_finds_the_renewal_that_arrived_late(take, memory):
    lease = take()
    memory.fault = "late"
    lease.renew()
    memory.arrive()
    lease.release()
    assert take("run-b").fence == 2


def test_who_loses_the_race_for_a_free_lease_is_told_the_winner(take, memory):
    memory.before = lambda: take("run-b")
    assert refused(take, "run-a").record.run == "run-b"


def test_a_lease_that_never_stands_still_is_not_taken(take, memory):
    def meanwhile():
        take("run-b").release()
        memory.before = meanwhile

    memory.before = meanwhile
    with pytest.raises(Refused, match="changes hands all the time"):
        take("run-a")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"not json", b'{"state":"free"}', b'{"format":1,"state":"held","fence":-1}', b"[" * 9000, b"\xff\xfe"],
)
def test_an_object_that_is_no_lease_refuses_and_is_left_alone(take, memory, data):
    memory.objects["leases/lab/database.json"] = data
    with pytest.raises(Refused, match="is no lease of ours"):
        take()
    assert memory.objects == {"leases/lab/database.json": data}


def test_a_holder_whose_object_became_something_else_loses_it_in_time(take, memory, ticks):
    lease = take()
    memory.objects["leases/lab/database.json"] = b"{}"
    lease.renew()
    assert lease.valid
    ticks.pass_by(5)
    assert not lease.valid


KEY = "leases/lab/database.json"


def changed(memory, **changes):
    """Write the lease's object anew, as whoever can write the bucket might."""
    memory.objects[KEY] = json.dumps({**json.loads(memory.objects[KEY]), **changes}).encode()


def test_a_renewal_that_was_lost_with_the_object_has_lost_the_lease(take, memory):
    lease = take()
    memory.before, memory.fault = memory.objects.clear, "lost"
    lease.renew()
    with pytest.raises(Refused, match="its object was removed"):
        lease.check()


def test_a_lost_lease_is_not_renewed_and_keeps_its_first_reason(take, memory, ticks):
    lease = take("run-a", lock="same")
    take("run-b", lock="same")
    lease.renew()
    there = memory.objects[KEY]
    lease.renew()
    ticks.pass_by(100)
    with pytest.raises(Refused) as lost:
        lease.check()
    assert lost.value.message == f"The lease s3://b/{KEY} of run-a is lost: run-b took it with the number 2."
    assert memory.objects[KEY] == there
    lease.release()
    with pytest.raises(Refused, match="run-b took it"):
        lease.check()


def test_a_release_says_free_and_counts_on(take, memory):
    lease = take()
    lease.renew()
    lease.release()
    said = json.loads(memory.objects[KEY])
    assert (said["state"], said["beat"], said["fence"]) == ("free", 2, 1)
    with pytest.raises(Refused, match="it was released"):
        lease.check()


def test_a_release_gives_up_where_the_object_does_not_stand_still(take, memory):
    lease = take()
    tries = []

    def meanwhile():
        tries.append(1)
        changed(memory, beat=1000 + len(tries))
        memory.before = meanwhile

    memory.before = meanwhile
    lease.release()
    assert len(tries) == leases.TRIES
    assert json.loads(memory.objects[KEY])["state"] == "held"


def test_a_release_writes_over_nothing_that_is_no_lease(take, memory):
    lease = take()
    memory.before = lambda: memory.objects.update({KEY: b"{}"})
    lease.release()
    assert memory.objects[KEY] == b"{}"


def test_who_takes_a_lease_is_named_in_it_with_everything_that_is_told_of_a_holder(take, memory):
    take("run-a", lock="boot:1:2", ttl=7.5)
    said = json.loads(memory.objects[KEY])
    assert len(said.pop("nonce")) == 32
    assert said == {
        "format": 1,
        "state": "held",
        "fence": 1,
        "ttl": 7.5,
        "beat": 0,
        "run": "run-a",
        "user": "ann",
        "host": "host-a",
        "since": "2026-11-23T13:06:14Z",
        "lock": "boot:1:2",
    }


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("fence", [1, 2**53 - 2], [0, 2**53, "1", 1.5]),
        ("ttl", [0.1, 3600], [0, 3600.1]),
        ("beat", [0], [-1]),
        ("nonce", ["0123456789abcdef" * 2], ["0" * 31, "0" * 33, "g" * 32]),
        ("run", ["x" * 200], ["x" * 201, 7]),
        ("user", ["x" * 200], ["x" * 201]),
        ("host", ["x" * 300], ["x" * 301]),
        ("since", ["x" * 40], ["x" * 41]),
        ("lock", ["x" * 200], ["x" * 201]),
        ("state", ["free"], ["gone"]),
        ("format", [1], [2]),
        ("more", [], ["x"]),
    ],
)
def test_an_object_is_a_lease_only_in_every_field(take, memory, name, good, bad):
    take(lock="same").release()
    for value in good:
        changed(memory, state="free")
        changed(memory, **{name: value})
        take("run-b").release()
    for value in bad:
        changed(memory, **{name: value})
        with pytest.raises(Refused, match="is no lease of ours"):
            take("run-b")


def test_of_an_object_no_more_is_read_than_a_lease_can_have(take, memory):
    take().release()
    memory.objects[KEY] = b" " * (LARGEST - len(memory.objects[KEY])) + memory.objects[KEY]
    take().release()
    memory.objects[KEY] = b" " * (LARGEST - len(memory.objects[KEY]) + 1) + memory.objects[KEY]
    with pytest.raises(Refused, match="is no lease of ours"):
        take()


class Dated(MemoryStore):
    """A store that says another time, or none."""

    def __init__(self, **headers):
        super().__init__()
        self.headers = headers

    def put_object(self, **asked):
        return {**super().put_object(**asked), "ResponseMetadata": {"HTTPHeaders": self.headers}}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"date": "Mon, 23 Nov 2026 12:00:00 GMT"}, datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ({"date": "Mon, 23 Nov 2026 12:00:00 -0000"}, None),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
def test_the_stores_time_is_known_with_the_moments_before_and_after_when_it_says_one_with_a_zone(ticks, headers, said):
    memory = Dated(**headers)
    memory.before = lambda: ticks.pass_by(3)
    store = LeaseStore(memory, "b", KEY, seconds=5, clock=ticks)
    acquire(store, someone(), ttl=TTL, clock=ticks)
    assert store.time == (StoreTime(said, 1000.0, 1003.0) if said else None)


def test_a_clock_is_named_by_the_start_of_the_machine_where_that_has_an_id(tmp_path):
    (tmp_path / "id").write_text("an-id\n")
    assert boot(tmp_path / "id") == "an-id"
    assert boot(tmp_path / "none") == ""
    (tmp_path / "space").symlink_to("time:[42]")
    assert clock_name(tmp_path / "id", tmp_path / "space") == "an-id time:[42]"
    assert clock_name(tmp_path / "id", tmp_path / "none") == "an-id"
    assert clock_name(tmp_path / "none", tmp_path / "space") == f"{platform.node()} time:[42]"
    assert clock_name().startswith(boot())
    assert clock() <= clock()


class Contention(RuleBasedStateMachine):
    """Four contenders on three machines, whose clocks differ and run at different speeds, over a store that fails."""

    MACHINES = (0, 0, 1, 2)
    who = st.integers(0, 3)
    faults = st.sampled_from(("", "", "", *FAULTS))

    @initialize(rates=st.tuples(*[st.floats(0.9, 1.1)] * 3), starts=st.tuples(*[st.floats(0, 1e6)] * 3))
    def begin(self, rates, starts):
        self.store = MemoryStore()
        self.clocks = [Clock(rate, start) for rate, start in zip(rates, starts, strict=True)]
        self.sightings = [None] * 3
        self.local = [None] * 3
        self.leases = {}
        self.ever = []
        self.over = []
        self.fence = 0

    def take(self, who, fault):
        machine = self.MACHINES[who]
        if who in self.leases or self.local[machine] is not None:
            return
        self.store.fault = fault
        ticks = self.clocks[machine]
        store = LeaseStore(self.store, "b", "k", seconds=30, clock=ticks)
        owner = someone(f"run-{who}", f"lock of {machine}")
        self.local[machine] = who
        try:
            lease = acquire(store, owner, ttl=TTL, sighting=self.sightings[machine], clock=ticks)
        except Refused as error:
            self.local[machine] = None
            self.sightings[machine] = getattr(error, "sighting", None) or self.sightings[machine]
        else:
            assert lease.fence > self.fence
            self.fence = lease.fence
            self.leases[who] = lease
            self.ever.append(lease)

    def meanwhile(self, other, kind, seconds):
        def act():
            if kind == "time":
                self.time(seconds)
            elif kind == "take":
                self.take(other, "")
            elif kind == "renew" and other in self.leases:
                self.leases[other].renew()
            self.alone()

        return act if kind else None

    kinds = st.sampled_from(("", "", "time", "take", "renew"))
    # Around the limits: a quarter, half and the whole of the time to live, and a little that adds up.
    spans = st.sampled_from((0.5, 1.0, 2.5, 4.0, 4.9, 5.1, 9.0, 11.2))

    @rule(who=who, fault=faults, other=who, kind=kinds, seconds=spans)
    def someone_takes(self, who, fault, other, kind, seconds):
        self.store.before = self.meanwhile(other, kind, seconds) if other != who else None
        self.take(who, fault)

    @rule(first=who)
    def all_others_try(self, first):
        for who in range(4):
            self.take((first + who) % 4, "")

    @precondition(lambda self: self.leases)
    @rule(which=who, fault=faults, other=who, kind=kinds, seconds=spans)
    def a_holder_renews(self, which, fault, other, kind, seconds):
        who = self.holder(which)
        self.store.before = self.meanwhile(other, kind, seconds) if other != who else None
        self.store.fault = fault
        self.leases[who].renew()

    @precondition(lambda self: self.leases)
    @rule(which=who, fault=faults, end=st.sampled_from(("release", "release", "kill", "", "", "", "")))
    def a_holder_ends(self, which, fault, end):
        who = self.holder(which)
        if end == "kill":
            # The dead act no more, so that their leases need not be lost.
            self.ever.remove(self.leases.pop(who))
        elif end:
            self.store.fault = fault
            self.leases.pop(who).release()
        if end:
            self.local[self.MACHINES[who]] = None

    @rule(seconds=spans)
    def time(self, seconds):
        for ticks in self.clocks:
            ticks.pass_by(seconds)

    @rule()
    def late_writes_arrive(self):
        self.store.arrive()

    def holder(self, which):
        return sorted(self.leases)[which % len(self.leases)]

    @invariant()
    def alone(self):
        valid = [lease for lease in getattr(self, "ever", ()) if lease.valid]
        assert len(valid) <= 1
        assert not [lease for lease in valid if lease in self.over]
        self.over = [lease for lease in getattr(self, "ever", ()) if lease not in valid]


def test_whatever_happens_there_is_never_more_than_one_valid_lease_and_its_number_grows():
    run_state_machine_as_test(
        Contention, settings=scale(max_examples=count(40, 400), stateful_step_count=50, deadline=None)
    )


# Against a server


@pytest.fixture(scope="module")
def bucket(lab):
    client = connect(lab.settings, lab.settings.aws_access_key_id, lab.settings.aws_secret_access_key)
    client.create_bucket(Bucket=BUCKET)
    client.close()
    return BUCKET


@pytest.fixture
def front(lab):
    one = Front(lab.settings.aws_endpoint_url)
    yield one
    one.close()


@pytest.fixture
def served(lab, front, bucket, request):
    """Take a lease of this test's own through the front."""
    target = lab.settings.model_copy(update={"aws_endpoint_url": front.url})
    name_of_it = f"leases/{request.node.name}-{secrets.token_hex(8)}.json"

    def served(name="run-a", *, ttl=8.0, **more):
        store = LeaseStore.of(target, bucket, name_of_it, max(ttl / 8, 2))
        return acquire(store, someone(name, more.pop("lock", "")), ttl=ttl, **more)

    return served


def test_a_server_gives_the_lease_to_one_and_to_the_next_after_its_release(served):
    for fence in (1, 2, 3):
        lease = served()
        assert (lease.fence, lease.valid) == (fence, True)
        assert refused(served, "run-b").record.fence == fence
        lease.release()


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
def test_a_renewal_whose_answer_is_cut_off_is_made_good(served, front, fault):
    lease = served()
    front.faults.append(fault)
    lease.renew()
    lease.renew()
    lease.check()
    lease.release()
    assert served("run-b").fence == 2


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
def test_nothing_is_sent_a_second_time_by_the_client_itself(served, front, fault):
    lease = served()
    front.faults.append(fault)
    before = front.writes
    lease.renew()
    assert front.writes == before + 1
    lease.release()


def test_a_taking_whose_answer_is_cut_off_is_ours(served, front):
    front.faults.append("unanswered")
    lease = served()
    lease.renew()
    lease.check()
    lease.release()


def test_a_thread_renews_a_lease_for_longer_than_it_would_be_valid(served, front):
    lease = served(ttl=6.0)
    lease.start()
    # A process that forgets to release it can end all the same.
    assert [one.daemon for one in threading.enumerate() if one.name.startswith("lease")] == [True]
    until(lambda: front.writes >= 4)
    lease.check()
    lease.release()
    assert not [one for one in threading.enumerate() if one.name.startswith("lease")]


def test_a_release_ends_the_thread_however_long_it_would_have_slept(served):
    lease = served(ttl=3000.0)
    lease.start()
    lease.release()
    assert not [one for one in threading.enumerate() if one.name.startswith("lease")]


def test_a_release_waits_for_the_renewal_under_way(served, front):
    lease = served(ttl=8.0)
    front.silent.set()
    lease.start()
    until(lambda: front.held)
    threading.Timer(0.2, front.silent.clear).start()
    lease.release()
    assert not [one for one in threading.enumerate() if one.name.startswith("lease")]
    assert served("run-b").fence == 2


def test_a_thread_tries_a_lost_renewal_again_before_the_lease_runs_out(served, front):
    lease = served(ttl=6.0)
    front.faults.append("lost")
    lease.start()
    until(lambda: front.writes >= 3)
    lease.check()
    lease.release()


def test_a_store_that_falls_silent_ends_the_lease_while_another_is_still_refused(served, front):
    lease = served(ttl=4.0)
    lease.start()
    front.silent.set()
    until(lambda: not lease.valid)
    front.silent.clear()
    assert refused(served, "run-b").record.fence == 1
    with pytest.raises(Refused, match="not renewed for 2 s"):
        lease.check()
    lease.release()
    assert served("run-b").fence == 2


def test_a_lease_whose_store_cannot_be_reached_is_refused(lab):
    target = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(Refused, match="could not be taken"):
        acquire(LeaseStore.of(target, BUCKET, "leases/x.json", 5), someone())


def test_a_bucket_that_is_not_there_is_refused_as_such(lab):
    store = LeaseStore.of(lab.settings, "there-is-no-such-bucket", "leases/x.json", 10)
    with pytest.raises(Refused, match="no such bucket"):
        acquire(store, someone())


def test_a_write_under_a_condition_that_does_not_hold_changes_nothing(lab, bucket, served):
    lease = served()
    store = LeaseStore.of(lab.settings, bucket, "leases/nobody.json", 10)
    with pytest.raises((Missing, StoreError)):
        store.write(lease._record, '"0123456789abcdef0123456789abcdef"')
    assert store.read() is None
    lease.release()


# The time of day


def test_neither_leases_nor_their_store_can_read_the_time_of_day():
    wall = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime", "monotonic", "CLOCK_REALTIME"}
    for name in ("lease", "lease_store"):
        tree = ast.parse((ROOT / "opslib/systems" / f"{name}.py").read_text(encoding="utf-8"))
        used = {ast.unparse(node.value) + "." + node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {one for one in used if one.split(".")[0] in ("time", "datetime") and one.split(".")[-1] in wall}
        assert "opslib.model" not in {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_clock_goes_on_and_has_one_name_in_all_processes_of_this_start():
    assert clock() <= clock()
    assert clock_name()
    assert leases.TTL == 60

"""One record on several machines: a shared folder or an S3 prefix in the middle, and nobody's lines lost or overwritten."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.records.short_record import change, make_folder, open_journal

from cockpit.journal import sharing
from cockpit.journal.machine import machine_id
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.shared_store import DirectoryStore, Part, S3Store, Store, StoreUnreachable, store_at
from cockpit.journal.sharing import Sync
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Journal

OWNER = "x-amz-expected-bucket-owner"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Callable[[], Any]]:
    """A simulated S3 with one bucket; gives clients for it."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()

    def client() -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    client().create_bucket(Bucket="records")
    yield client
    server.stop()


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "shared")
    return S3Store(request.getfixturevalue("bucket")(), "records", f"cutovers/{tmp_path.name}/")


@pytest.fixture
def alex() -> str:
    """The name of a writer of this machine."""
    return f"alex-{machine_id()}"


@pytest.fixture
def bo() -> str:
    return f"bo-{machine_id()}"


def test_an_s3_that_writes_over_what_is_there_is_found_with_the_first_object_and_not_shared_in(
    bucket: Callable[[], Any], tmp_path: Path, alex: str
) -> None:
    """Some pay no heed to `If-None-Match`: two cockpits would both be told that theirs is the record, and lines be replaced."""
    heedless = bucket()
    heedless.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: request.headers.__delitem__("If-None-Match")
    )
    store, place = S3Store(heedless, "records", tmp_path.name), S3Store(bucket(), "records", tmp_path.name)
    with pytest.raises(StoreUnreachable, match="it writes over what is there"):
        store.claim(1, b"20260301T220000Z-signing")
    one = make_folder(tmp_path / "one")
    open_journal(one, alex).close()
    sync = Sync(one.journal, store, [alex])
    for _ in range(2):
        assert not sync.once()
        assert "it writes over what is there" in sync.trouble
    assert Sync(one.journal, place, [alex]).once(), "one that heeds it goes on there"


def two_machines(tmp_path: Path) -> tuple[RecordFolder, RecordFolder]:
    one = make_folder(tmp_path / "one")
    two = make_folder(tmp_path / "two")
    return one, two


def test_two_machines_end_with_the_same_journal(tmp_path: Path, store: Store, alex: str, bo: str) -> None:
    one, two = two_machines(tmp_path)
    alices, bos = open_journal(one, alex), open_journal(two, bo)
    syncs = [Sync(one.journal, store, [alex]), Sync(two.journal, store, [bo])]
    for n in range(12):
        (alices if n % 3 else bos).add(change(n))
        assert syncs[n % 2].once(), syncs[n % 2].trouble
    last = bos.close()
    alices.close()
    for sync in (*syncs, *syncs):
        assert sync.once()
    assert [line.raw for _, line in one.lines()] == [line.raw for _, line in two.lines()]
    assert len(one.lines()) == 16
    for folder in (one, two):
        assert not verify_record(folder.path, [last]).broken
    seen = [line.entry.seen for writer, line in one.lines() if writer == alex]
    assert any(bo in each for each in seen)


def test_merged_by_time_but_never_before_what_was_seen(tmp_path: Path, store: Store, alex: str, bo: str) -> None:
    """Bo's clock is an hour slow; what Bo wrote after seeing Alex's line still comes after it."""
    one, two = two_machines(tmp_path)
    alices = open_journal(one, alex)
    alices.add(change(1))
    Sync(one.journal, store, [alex]).once()
    Sync(two.journal, store, []).once()
    bos = Journal.open(two.journal, bo, two.id, clock=lambda: datetime.now(UTC) - timedelta(hours=1))
    bos.add(change(2))
    assert [writer for writer, _ in two.lines()] == [alex, alex, bo, bo]
    alices.close()
    bos.close()


def test_offline_it_goes_on_and_later_makes_up_for_it(tmp_path: Path, alex: str) -> None:
    one, two = two_machines(tmp_path)
    shared = tmp_path / "shared"
    shared.write_text("in the way")
    store = DirectoryStore(shared)
    alices = open_journal(one, alex)
    sync = Sync(one.journal, store, [alex])
    alices.add(change(1))
    assert not sync.once()
    assert "shared" in sync.trouble
    alices.add(change(2))
    shared.unlink()
    assert sync.once()
    assert sync.trouble == ""
    alices.close()
    assert sync.once()
    assert Sync(two.journal, store, []).once()
    assert (two.journal / f"{alex}.jsonl").read_bytes() == alices.path.read_bytes()


def test_an_unreachable_or_refusing_s3_is_away(tmp_path: Path, bucket: Callable[[], Any]) -> None:
    from botocore.config import Config

    deaf = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x",
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    for store in (S3Store(deaf, "records", "p"), S3Store(bucket(), "no-such-bucket", "p")):
        with pytest.raises(StoreUnreachable, match="list_objects_v2"):
            store.parts()
    with pytest.raises(StoreUnreachable, match="get_object"):
        S3Store(bucket(), "records", "p").get(Part.of("a", 0, b"lines"))


def test_every_call_names_the_account_the_bucket_must_be_of(
    tmp_path: Path, bucket: Callable[[], Any], alex: str
) -> None:
    client, owners = bucket(), []
    client.meta.events.register("before-send.s3", lambda request, **_: owners.append(str(request.headers.get(OWNER))))
    store = S3Store(client, "records", tmp_path.name, account="123456789012")
    folder = make_folder(tmp_path)
    open_journal(folder, alex).close()
    assert Sync(folder.journal, store, [alex]).once()
    assert Sync(make_folder(tmp_path / "other").journal, store, []).once()
    assert len(owners) >= 4
    assert all("123456789012" in each for each in owners)


def test_nothing_is_ever_written_over(store: Store, alex: str) -> None:
    part = Part.of(alex, 0, b"one\n")
    assert store.put(part, b"one\n")
    assert not store.put(part, b"two\n")
    assert store.get(part) == b"one\n"
    assert list(store.parts()) == [part]


def test_a_reply_that_was_lost_is_no_conflict(tmp_path: Path, store: Store, alex: str) -> None:
    """The store kept the lines, the answer never came, and meanwhile there are more."""
    folder = make_folder(tmp_path)
    journal = open_journal(folder, alex)
    first = journal.path.read_bytes()
    journal.add(change(1))

    class Late:
        """Says at the first look that nothing is there yet."""

        parts_told = 0

        def parts(self) -> object:
            self.parts_told += 1
            return [] if self.parts_told == 1 else store.parts()

        get = staticmethod(store.get)
        put = staticmethod(store.put)

    store.put(Part.of(alex, 0, first), first)
    sync = Sync(folder.journal, Late(), [alex])  # type: ignore[arg-type]
    assert sync.once(), sync.trouble
    journal.close()
    assert sync.once(), sync.trouble
    assert sync.strange == ""
    other = make_folder(tmp_path / "other")
    assert Sync(other.journal, store, []).once()
    assert (other.journal / journal.path.name).read_bytes() == journal.path.read_bytes()


def test_one_name_in_two_folders_is_shown_on_both_sides_and_loses_nothing(
    tmp_path: Path, store: Store, alex: str, bo: str
) -> None:
    one, two = two_machines(tmp_path)
    mine, theirs = open_journal(one, alex), open_journal(two, alex)
    theirs.add(change(2))
    bos = open_journal(two, bo)
    first = Sync(one.journal, store, [alex])
    assert first.once()
    before = theirs.path.read_bytes()
    sync = Sync(two.journal, store, [alex, bo])
    assert sync.once()
    assert first.once()
    for side in (sync, first):
        assert "this cockpit did not write it" in side.strange
    assert theirs.path.read_bytes() == before
    assert any(part.writer == bo for part in store.parts())
    for journal in (mine, theirs, bos):
        journal.close()


def test_what_the_store_gives_back_changed_is_refused(tmp_path: Path, alex: str) -> None:
    one, two = two_machines(tmp_path)
    store = DirectoryStore(tmp_path / "shared")
    alices = open_journal(one, alex)
    Sync(one.journal, store, [alex]).once()
    fetching = Sync(two.journal, store, [])
    assert fetching.once()
    alices.close()
    Sync(one.journal, store, [alex]).once()
    part = max(store.parts(), key=lambda part: part.start)
    path = tmp_path / "shared" / part.name
    path.write_bytes(path.read_bytes()[:-1])
    before = (two.journal / f"{alex}.jsonl").read_bytes()
    fetching.once()
    assert "is not what its name says" in fetching.strange
    assert (two.journal / f"{alex}.jsonl").read_bytes() == before


def test_large_chains_go_in_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, alex: str
) -> None:
    monkeypatch.setattr(sharing, "MAX_PART", 4000)
    one, two = two_machines(tmp_path)
    journal = open_journal(one, alex)
    for n in range(40):
        journal.add(change(n))
    journal.close()
    assert Sync(one.journal, store, [alex]).once()
    assert len(store.parts()) > 5
    assert Sync(two.journal, store, []).once()
    assert (two.journal / f"{alex}.jsonl").read_bytes() == journal.path.read_bytes()


def test_a_machine_that_joins_gets_everything(tmp_path: Path, store: Store, alex: str, bo: str) -> None:
    one, two = two_machines(tmp_path)
    for name in (alex, bo):
        open_journal(one, name).close()
    assert Sync(one.journal, store, [alex, bo]).once()
    shutil.rmtree(two.journal)
    assert Sync(two.journal, store, []).once()
    assert {path.name: path.read_bytes() for path in one.journal.iterdir()} == {
        path.name: path.read_bytes() for path in two.journal.iterdir()
    }


def test_places(tmp_path: Path) -> None:
    assert isinstance(store_at(str(tmp_path)), DirectoryStore)
    assert isinstance(store_at("s3://records/prefix", region="us-east-1"), S3Store)
    with pytest.raises(ValueError, match="s3://BUCKET"):
        store_at("s3:///prefix")

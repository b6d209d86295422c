"""The asynchronous shell: many callers, one transaction, and a database that comes and goes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager

import pytest

from api.database import Database
from ledger.log import scripts
from ledger.log.batch import Outcome, Proposal
from ledger.log.errors import LogOverloaded, LogUnavailable, RowRefused, UnknownBook
from ledger.log.lane import Lane
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.session import connect_async
from ledger.log.writer import BookWriter, run_async
from tests.support.database import TestDatabase, add_template, new_server
from tests.support.log import (
    BOOK,
    NOON,
    SlotTaken,
    about,
    appended,
    counting,
    end_sessions,
    head_held,
    interrupted,
    noting,
    once,
    opened,
    row,
    taking,
)
from tests.support.log_proxy import proxied
from tests.support.loops import in_a_loop


@asynccontextmanager
async def writing(
    database: Database, by: str | None = None, **limits: int
) -> AsyncGenerator[BookWriter]:
    """Give a running writer of an open book, which reaches the database by another way if told."""
    with opened(database.app_url):
        pass
    async with BookWriter(by or database.app_url, BOOK, **limits) as writer:
        yield writer


def announced(proposal: Proposal, under_way: asyncio.Event) -> Proposal:
    """Tell when a proposal is being decided, which is just before its transaction begins."""
    return interrupted(proposal, by=under_way.set)


async def told(*submissions: Awaitable[object]) -> list[object]:
    """Submit at once; give what each comes to, refusals among them."""
    return list(await asyncio.gather(*submissions, return_exceptions=True))


class TestSubmitting:
    """One task a book takes whatever waits into one transaction."""

    @in_a_loop
    async def test_appends_for_many_callers(self, database: Database) -> None:
        async with writing(database) as writer:
            outcomes = await told(*(writer.submit(*noting(f"n:{n}")) for n in range(50)))
            rows, head = await writer.read(about("n:7"))
        positions = [outcome.appended[0].position for outcome in outcomes]  # type: ignore[attr-defined]
        assert positions == list(range(1, 51))
        assert ([stored.position for stored in rows], head) == ([8], 50)

    @in_a_loop
    async def test_commits_what_waits_together(self, database: Database) -> None:
        with proxied(database.app_url) as proxy:
            async with writing(database, proxy.url) as writer:
                await told(*(writer.submit(*noting("a:1")) for _ in range(50)))
            assert proxy.commits == 1

    @in_a_loop
    async def test_takes_no_more_than_a_batch_at_a_time(self, database: Database) -> None:
        with proxied(database.app_url) as proxy:
            async with writing(database, proxy.url, batch_limit=10) as writer:
                await told(*(writer.submit(*noting("a:1")) for _ in range(50)))
            assert proxy.commits == 5

    @in_a_loop
    async def test_refused_or_bad_fails_alone(self, database: Database) -> None:
        bad = Proposal((), lambda _: [row(type="two\nlines")])
        async with writing(database) as writer:
            won, lost, refused, other = await told(
                writer.submit(*taking("slot:1", "by:x")),
                writer.submit(*taking("slot:1", "by:y")),
                writer.submit(*bad),
                writer.submit(*counting("slot:1")),
            )
            nothing, found = await told(
                writer.read(about("half:\ud83d", "nul:\0")), writer.read(about("slot:1"))
            )
        assert isinstance(won, Outcome)
        assert isinstance(lost, SlotTaken)
        assert isinstance(refused, RowRefused)
        assert isinstance(other, Outcome)
        assert other.appended[0].data == b"1"
        assert nothing == ((), 2)
        assert found == ((*won.appended, *other.appended), 2)

    @in_a_loop
    async def test_too_large_leaves_the_others_together(self, database: Database) -> None:
        large = Proposal((), lambda _: [row("a:1", data=bytes(70_000))])
        with proxied(database.app_url) as proxy:
            async with writing(database, proxy.url) as writer:
                (refused, *others) = await told(
                    writer.submit(*large), *(writer.submit(*noting("a:1")) for _ in range(9))
                )
            assert proxy.commits == 1
        assert isinstance(refused, RowRefused)
        assert refused.rule == "entry_is_at_most_60000_bytes"
        assert all(isinstance(one, Outcome) for one in others)

    @in_a_loop
    async def test_raced_by_another_process_decides_again(self, database: Database) -> None:
        with opened(database.app_url) as theirs:
            async with writing(database) as writer:
                outcome = await writer.submit(
                    *interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")]))
                )
        assert outcome.appended[0].data == b"1"

    @in_a_loop
    async def test_reads_again_before_the_lock_when_it_fell_far_behind(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scripts, "PATIENCE", (2, scripts.ANY_TAIL))
        with opened(database.app_url) as theirs:
            async with writing(database) as writer:
                outcome = await writer.submit(
                    *interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")] * 3))
                )
        assert outcome.appended[0].data == b"3"

    @in_a_loop
    async def test_to_a_book_that_is_not_open_says_so(self, database: Database) -> None:
        async with BookWriter(database.app_url, "be") as writer:
            told_of = await told(writer.submit(*noting("a:1")), writer.read(about("a:1")))
        assert [type(failure) for failure in told_of] == [UnknownBook, UnknownBook]

    @in_a_loop
    async def test_with_a_full_queue_is_turned_away_at_once(self, database: Database) -> None:
        under_way = asyncio.Event()
        async with writing(database, queue_limit=2) as writer:
            with head_held(database.app_url):
                first = asyncio.create_task(writer.submit(*announced(noting("a:1"), under_way)))
                await under_way.wait()
                waiting = [asyncio.create_task(writer.submit(*noting("a:1"))) for _ in range(2)]
                (turned_away,) = await told(_after(waiting, writer.submit(*noting("a:1"))))
            accepted = await told(first, *waiting)
            _, head = await writer.read(())
        assert isinstance(turned_away, LogOverloaded)
        assert all(isinstance(outcome, Outcome) for outcome in accepted)
        assert head == 3

    @in_a_loop
    async def test_stopped_finishes_what_waits_and_takes_no_more(self, database: Database) -> None:
        async with writing(database) as writer:
            waiting = [asyncio.create_task(writer.submit(*noting("a:1"))) for _ in range(5)]
            await asyncio.sleep(0)  # lets them into the queue
        assert [isinstance(task.result(), Outcome) for task in waiting] == [True] * 5
        with pytest.raises(LogUnavailable):
            await writer.submit(*noting("a:1"))
        with pytest.raises(LogUnavailable):
            await writer.read(())


class TestACancelledCaller:
    """Somebody who hung up."""

    @in_a_loop
    async def test_alone_in_the_queue_leaves_nothing_to_do(self, database: Database) -> None:
        async with writing(database) as writer:
            gone = asyncio.create_task(writer.submit(*noting("a:1")))
            await asyncio.sleep(0)  # lets it into the queue, before the lane's next turn
            gone.cancel()
            await told(gone)
            assert await writer.read(()) == ((), 0)

    @in_a_loop
    async def test_in_the_middle_of_a_script_ends_the_connection_and_leaves_nothing_half_done(
        self, database: Database
    ) -> None:
        """What PostgreSQL was told is carried out whole, or not at all."""
        under_way = asyncio.Event()
        with opened(database.app_url) as log:
            connection = await connect_async(database.app_url)
            read = await run_async(connection, scripts.reading(BOOK, [()]))
            pair = Proposal((), lambda _: [row("a:1"), row("a:1")])
            proposals = [announced(pair, under_way)]
            with head_held(database.app_url):
                appending = scripts.appending(
                    BOOK, proposals, read, scripts.TAIL_LIMIT, crowded=False
                )
                task = asyncio.create_task(run_async(connection, appending))
                await under_way.wait()
                task.cancel()
                assert [type(end) for end in await told(task)] == [asyncio.CancelledError]
            assert connection.closed
            assert appended(log.submit([noting("a:2")])) in ([[1]], [[3]])

    @in_a_loop
    async def test_in_the_queue_takes_its_decision_along(self, database: Database) -> None:
        under_way = asyncio.Event()
        async with writing(database) as writer:
            with head_held(database.app_url):
                first = asyncio.create_task(writer.submit(*announced(noting("a:1"), under_way)))
                await under_way.wait()
                second = asyncio.create_task(writer.submit(*once("b:1")))
                third = asyncio.create_task(writer.submit(*noting("c:1")))
                await asyncio.sleep(0)  # lets them into the queue
                second.cancel()
            outcomes = await told(first, second, third)
            rows, head = await writer.read(about("b:1"))
        assert isinstance(outcomes[1], asyncio.CancelledError)
        assert (rows, head) == ((), 2)

    @in_a_loop
    async def test_under_way_is_appended_once_and_found_again(self, database: Database) -> None:
        under_way = asyncio.Event()
        async with writing(database) as writer:
            with head_held(database.app_url):
                gone = asyncio.create_task(writer.submit(*announced(once("mo:1"), under_way)))
                await under_way.wait()
                gone.cancel()
                await told(gone)
            again = await writer.submit(*once("mo:1"))
            _, head = await writer.read(())
        assert gone.cancelled()
        assert [found.position for found in again.history] == [1]
        assert (again.appended, head) == ((), 1)


@pytest.fixture
def stoppable() -> Generator[TestDatabase]:
    """Give a database of which the whole server may be stopped."""
    with new_server(durable=True) as server:
        add_template(server)
        yield TestDatabase(server, "template_obole")


class TestTheDatabaseAway:
    """503s for a while, then as before; nothing acknowledged is lost."""

    @in_a_loop
    async def test_is_unavailable_and_recovers_without_a_restart(
        self, stoppable: TestDatabase
    ) -> None:
        async with writing(stoppable) as writer:
            first = await writer.submit(*once("mo:1"))
            with stoppable.server.away():
                failures = await told(
                    writer.submit(*once("mo:2")), writer.submit(*once("mo:3")), writer.read(())
                )
            again = await writer.submit(*once("mo:1"))
            second = await writer.submit(*once("mo:2"))
        assert [type(failure) for failure in failures] == [LogUnavailable] * 3
        assert again.history == first.appended
        assert [stored.position for stored in second.appended] == [2]

    @in_a_loop
    async def test_from_the_start_does_not_keep_it_from_starting(self, database: Database) -> None:
        with proxied(database.app_url) as proxy:
            proxy.away = True
            async with BookWriter(proxy.url, BOOK) as writer:
                failures = await told(writer.submit(*noting("a:1")), writer.read(()))
                proxy.away = False
                with opened(database.app_url):
                    outcome = await writer.submit(*noting("a:1"))
        assert [type(failure) for failure in failures] == [LogUnavailable] * 2
        assert outcome.head == 1

    @in_a_loop
    async def test_for_a_moment_between_two_decisions_is_not_noticed(
        self, database: Database
    ) -> None:
        async with writing(database) as writer:
            await writer.submit(*noting("a:1"))
            await writer.read(())
            end_sessions(database.owner_url)
            outcome = await writer.submit(*noting("a:1"))
            _, head = await writer.read(())
        assert outcome.head == head == 2

    @in_a_loop
    async def test_in_the_middle_of_a_decision_leaves_nothing_half_done(
        self, database: Database
    ) -> None:
        pair = Proposal(about("a:1"), lambda h: [] if h else [row("a:1"), row("a:1")])
        async with writing(database) as writer:
            (failure,) = await told(
                writer.submit(*interrupted(pair, by=lambda: end_sessions(database.owner_url)))
            )
            _, head = await writer.read(())
            outcome = await writer.submit(*pair)
        assert isinstance(failure, LogUnavailable)
        assert head == 0
        assert [stored.position for stored in outcome.appended] == [1, 2]

    @in_a_loop
    async def test_when_it_was_to_acknowledge_finds_the_facts_again(
        self, database: Database
    ) -> None:
        """The connection is cut after the commit and before its answer arrives."""
        with proxied(database.app_url) as proxy:
            async with writing(database, proxy.url) as writer:
                proxy.swallow_commits = 1
                lost = await told(writer.submit(*once("mo:1")), writer.submit(*once("mo:2")))
                again = [await writer.submit(*once(tag)) for tag in ("mo:1", "mo:2", "mo:1")]
                _, head = await writer.read(())
        assert [type(failure) for failure in lost] == [LogUnavailable] * 2
        assert [[found.position for found in one.history] for one in again] == [[1], [2], [1]]
        assert [one.appended for one in again] == [(), (), ()]
        assert head == 2


class TestALane:
    """The queue before a task, whatever its work is."""

    @in_a_loop
    async def test_carries_together_what_was_asked_meanwhile(self) -> None:
        batches: list[list[int]] = []
        under_way, free = asyncio.Event(), asyncio.Event()

        async def work(jobs: Sequence[int]) -> list[int | Exception]:
            batches.append(list(jobs))
            under_way.set()
            await free.wait()
            return [job * 10 for job in jobs]

        lane: Lane[int, int] = Lane(work, queue_limit=10, batch_limit=3)
        lane.start()
        first = asyncio.create_task(lane.ask(0))
        await under_way.wait()
        others = [asyncio.create_task(lane.ask(n)) for n in range(1, 6)]
        await asyncio.sleep(0)
        free.set()
        assert await asyncio.gather(first, *others) == [0, 10, 20, 30, 40, 50]
        assert batches == [[0], [1, 2, 3], [4, 5]]
        await lane.stop()

    @in_a_loop
    async def test_keeps_together_and_in_order_what_one_brings_in_many(self) -> None:
        batches: list[list[int]] = []

        async def work(jobs: Sequence[int]) -> list[int | Exception]:
            batches.append(list(jobs))
            return [ValueError(job) if job == 4 else job * 10 for job in jobs]

        lane: Lane[int, int] = Lane(work, queue_limit=4, batch_limit=3)
        lane.start()
        many, one = await asyncio.gather(lane.ask_all(iter(range(7))), lane.ask(9))
        assert [str(answer) for answer in many] == ["0", "10", "20", "30", "4", "50", "60"]
        assert one == 90
        assert batches[0] == [0, 1, 2]
        assert all(len(batch) <= 3 for batch in batches)
        assert [job for batch in batches for job in batch if job < 9] == list(range(7))
        await lane.stop()

    @in_a_loop
    async def test_leaves_out_what_nobody_waits_for_any_more(self) -> None:
        done: list[int] = []
        under_way, free = asyncio.Event(), asyncio.Event()

        async def work(jobs: Sequence[int]) -> list[int | Exception]:
            done.extend(jobs)
            under_way.set()
            await free.wait()
            return list(jobs)

        lane: Lane[int, int] = Lane(work, queue_limit=10, batch_limit=3)
        lane.start()
        first = asyncio.create_task(lane.ask(0))
        await under_way.wait()
        many, one = asyncio.create_task(lane.ask_all([1, 2])), asyncio.create_task(lane.ask(3))
        await asyncio.sleep(0)
        many.cancel()
        await asyncio.sleep(0)
        free.set()
        assert await asyncio.gather(first, one) == [0, 3]
        assert done == [0, 3]
        await lane.stop()

    @in_a_loop
    async def test_that_never_ran_may_be_stopped(self) -> None:
        async def work(jobs: Sequence[int]) -> list[int | Exception]:
            return list(jobs)

        await Lane[int, int](work, queue_limit=10, batch_limit=3).stop()

    @in_a_loop
    async def test_outlives_work_that_fails(self) -> None:
        async def work(jobs: Sequence[int]) -> list[int | Exception]:
            if 0 in jobs:
                raise ZeroDivisionError
            return [ValueError(job) if job < 0 else job for job in jobs]

        lane: Lane[int, int] = Lane(work, queue_limit=10, batch_limit=3)
        lane.start()
        with pytest.raises(ZeroDivisionError):
            await lane.ask(0)
        with pytest.raises(ValueError, match="-1"):
            await lane.ask(-1)
        assert await lane.ask(1) == 1
        await lane.stop()


class TestTheLogInMemory:
    """It serves a command as the writer does."""

    @in_a_loop
    async def test_submits_and_reads(self) -> None:
        log = AsyncMemoryLog(MemoryLog(BOOK, lambda: NOON))
        outcome = await log.submit(*once("mo:1"))
        assert await log.read(about("mo:1")) == (outcome.appended, 1)
        with pytest.raises(SlotTaken):
            await log.submit(*taking("mo:1", "by:x"))


async def _after(
    tasks: Sequence[asyncio.Task[Outcome]], submission: Coroutine[object, object, Outcome]
) -> Outcome:
    """Submit once these tasks have had their turn to get into the queue."""
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    return await submission

"""An application of the `eventsourcing` library that runs on our log by naming it.

Courses have places, students a number of courses that they may take: what a subscription rests on
is neither a course nor a student alone, which is what dynamic consistency boundaries are for.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from eventsourcing.dcb.application import DCBApplication
from eventsourcing.dcb.domain import Selector, Tagged
from eventsourcing.dcb.msgpack import Decision
from eventsourcing.persistence import InfrastructureFactoryError, IntegrityError

from api.database import Database
from tests.support.log import opened

COURSES_AT_MOST = 2


class CourseOpened(Decision):
    """A course takes so many students."""

    course: str
    places: int


class StudentEnrolled(Decision):
    """A student takes a course."""

    course: str
    student: str


class Refused(Exception):
    """The course is full, or the student has enough."""


class School(DCBApplication):
    """Opens courses and enrols students; knows nothing of the log that it runs on."""

    env = {"MAPPER_TOPIC": "eventsourcing.dcb.msgpack:MessagePackMapper"}  # noqa: RUF012 - the library's way

    def open(self, course: str, places: int) -> None:
        """Open a course."""
        opening = CourseOpened(course=course, places=places)
        self.events.append([Tagged([f"course:{course}"], opening)])

    def enrol(self, course: str, student: str) -> None:
        """Enrol a student; somebody who was faster has it asked again."""
        while True:
            try:
                return self._enrol(course, student)
            except IntegrityError:
                continue

    def enrolled(self, course: str) -> list[str]:
        """Give who takes a course, in order."""
        found = self.events.read(Selector(types=[StudentEnrolled], tags=[f"course:{course}"]))
        return [tagged.decision.student for tagged in found]

    def _enrol(self, course: str, student: str) -> None:
        rests_on = [
            Selector(types=[], tags=[f"course:{course}"]),
            Selector(types=[StudentEnrolled], tags=[f"student:{student}"]),
        ]
        history = self.events.read(rests_on)
        decisions = [tagged.decision for tagged in history]
        places = sum(past.places for past in decisions if isinstance(past, CourseOpened))
        enrolments = [past for past in decisions if isinstance(past, StudentEnrolled)]
        takes = [past.course for past in enrolments if past.student == student]
        taken = [past for past in enrolments if past.course == course]
        if len(taken) >= places or len(takes) >= COURSES_AT_MOST or course in takes:
            raise Refused(course, student)
        self.events.append(
            [
                Tagged(
                    [f"course:{course}", f"student:{student}"],
                    StudentEnrolled(course=course, student=student),
                )
            ],
            cb=rests_on,
            after=history.head,
        )


@pytest.fixture
def school(database: Database) -> Iterator[School]:
    """Give the application over a book of its own."""
    environment = {
        "PERSISTENCE_MODULE": "ledger.log.recorder",
        "OBOLE_DATABASE_URL": database.app_url,
        "BOOK": "courses",
    }
    with School(environment) as school:
        yield school


class TestASchool:
    """What the application promises, kept by our log."""

    def test_enrols_until_a_course_is_full(self, school: School) -> None:
        school.open("maths", 2)
        school.enrol("maths", "ann")
        school.enrol("maths", "bob")
        with pytest.raises(Refused):
            school.enrol("maths", "cem")
        assert school.enrolled("maths") == ["ann", "bob"]

    def test_lets_a_student_take_two_courses(self, school: School) -> None:
        for course in ("maths", "music", "dance"):
            school.open(course, 9)
        school.enrol("maths", "ann")
        school.enrol("music", "ann")
        with pytest.raises(Refused):
            school.enrol("dance", "ann")

    def test_fills_a_course_to_its_last_place_when_all_come_at_once(self, school: School) -> None:
        school.open("maths", 5)

        def come(student: int) -> bool:
            try:
                school.enrol("maths", f"s{student}")
            except Refused:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            let_in = list(threads.map(come, range(12)))
        assert sum(let_in) == len(school.enrolled("maths")) == 5

    def test_leaves_its_facts_in_the_book(self, school: School, database: Database) -> None:
        school.open("maths", 1)
        with opened(database.app_url, "courses") as log:
            (row,) = log.follow(0, 9)
        assert (row.position, row.tags) == (1, ("course:maths",))


class TestAnEnvironment:
    """What it has to say."""

    @pytest.mark.parametrize("missing", ["BOOK", "OBOLE_DATABASE_URL"])
    def test_that_names_no_book_or_database_is_refused(
        self, database: Database, missing: str
    ) -> None:
        environment = {
            "PERSISTENCE_MODULE": "ledger.log.recorder",
            "OBOLE_DATABASE_URL": database.app_url,
            "BOOK": "courses",
        }
        del environment[missing]
        told = "^OBOLE_DATABASE_URL and BOOK are needed$"
        with pytest.raises(InfrastructureFactoryError, match=told):
            School(environment)

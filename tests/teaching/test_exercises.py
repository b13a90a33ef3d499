"""Every exercise: wrong, near and right answers, the usual mistakes, and that no hint says the answer."""

from __future__ import annotations

import inspect
import json
import re

import numpy as np
import pytest

from fns_lab import paths
from fns_lab.errors import InputError
from fns_lab.teaching import check, task
from fns_lab.teaching.checking import MIME_TYPE, feedback_on
from fns_lab.teaching.exercise import KIND, MISTAKE, NEAR, OPEN, RIGHT, WRONG, Answer
from fns_lab.teaching.exercises import EXERCISES
from fns_lab.teaching.kinds import Name, Number, Shape
from tests.teaching.answers import read, right

STUDENTS = (0, 1, 17)


@pytest.fixture(params=EXERCISES, ids=str)
def asked(request):
    return EXERCISES[request.param]


def near_answers(asked):
    answer = right(asked)
    if isinstance(asked.KIND, Shape):
        return [(answer[0] + 1, answer[1] - 1)]
    if isinstance(asked.KIND, Name):
        return [re.split(r"[.-]", answer)[0] + "-other", re.split(r"[.-]", answer)[0] + ".other"]
    return [answer - 1, answer + 1] if asked.KIND.EXACT else [1.07 * answer, 0.9 * answer]


def far_answer(asked):
    if isinstance(asked.KIND, Shape):
        return tuple(5 * n + 1 for n in right(asked))
    return "zebra" if isinstance(asked.KIND, Name) else 1000 * right(asked) + 7


@pytest.mark.parametrize("student", STUDENTS)
def test_the_right_answer_is_right_for_every_student(asked, student):
    feedback = feedback_on(asked.ID, right(asked, student), student)
    assert feedback, feedback
    assert feedback.result == RIGHT


def test_numpy_and_white_space_do_not_matter(asked):
    answer = right(asked)
    given = f" {answer}\n" if isinstance(answer, str) else np.array(answer)
    assert feedback_on(asked.ID, given)


@pytest.mark.parametrize("student", STUDENTS)
def test_each_usual_mistake_has_its_hint(asked, student):
    (answer, mistakes), hints = read(asked, student), set()
    for value, _ in mistakes:
        if asked.KIND.same(value, answer):
            continue  # for this student the mistake happens to lead to the right answer
        feedback = feedback_on(asked.ID, value, student)
        assert not feedback
        assert feedback.result == MISTAKE, (value, feedback)
        hints.add(feedback.text)
    assert hints or asked.ID.startswith("05"), "an exercise knows at least one usual mistake"


def test_a_near_answer_is_near(asked):
    results = {feedback_on(asked.ID, answer).result for answer in near_answers(asked)}
    assert not results & {RIGHT, WRONG}
    assert NEAR in results or asked.ID.startswith(("05", "09.3"))


def test_a_far_answer_is_told_where_to_look(asked):
    feedback = feedback_on(asked.ID, far_answer(asked))
    assert feedback.result in (WRONG, MISTAKE), feedback
    assert not feedback


@pytest.mark.parametrize("answer", [True, float("nan"), {"a": 1}, "two words", [1, 2, 3], object()])
def test_another_kind_of_answer_is_told_what_is_wanted(asked, answer):
    feedback = feedback_on(asked.ID, answer)
    assert feedback.result == KIND, feedback
    assert asked.KIND.WANTED in feedback.text


def test_half_a_count_is_no_count(asked):
    if isinstance(asked.KIND, Number) and asked.KIND.EXACT:
        assert feedback_on(asked.ID, right(asked) + 0.5).result == KIND


@pytest.mark.parametrize("answer", [None, "", "  "])
def test_no_answer_is_no_mistake(asked, answer):
    feedback = feedback_on(asked.ID, answer)
    assert feedback.result == OPEN
    assert not feedback


@pytest.mark.parametrize("student", STUDENTS)
def test_no_hint_says_the_answer(asked, student):
    answer, mistakes = read(asked, student)
    hints = [
        asked.NEAR,
        asked.LOOK,
        asked.__doc__,
        asked.__class__.__doc__,
        *(hint for _, hint in mistakes),
    ]
    for hint in hints:
        if isinstance(answer, str):
            assert answer not in re.findall(r"[\w.-]+", hint)
        elif isinstance(answer, tuple):
            assert str(answer) not in hint
        else:
            assert not [n for n in re.findall(r"\d+(?:\.\d+)?", hint) if asked.KIND.same(float(n), answer)], hint


def test_nothing_that_takes_the_values_of_a_task_returns_the_answer(asked):
    """Who wants it from the package has to do what the exercise asks, or to take the comparison apart."""
    given, module = asked.given(0, {}), inspect.getmodule(type(asked))
    functions = [member for _, member in inspect.getmembers(asked, inspect.ismethod) if member.__name__ != "assess"]
    functions += [
        each for _, each in inspect.getmembers(module, inspect.isfunction) if each.__module__ == module.__name__
    ]
    for function in functions:
        names = inspect.signature(function).parameters
        if set(names) <= set(given):
            assert str(function(**{name: given[name] for name in names})) != str(right(asked)), function
    answer = Answer(asked.KIND, far_answer(asked))
    assert str(right(asked)) not in map(str, asked.assess(answer, **given))


def test_students_get_other_exercises(asked):
    drawn = {json.dumps(asked.given(student, {})) for student in range(40)}
    assert len(drawn) >= 3
    assert asked.given(3, {}) == asked.given(3, {}), "a number gives the same exercise"


def test_changed_parameters_have_changed_answers():
    assert not feedback_on("01.3", right(EXERCISES["01.3"]), content_weight=2e5)
    assert feedback_on("01.3", 2 * right(EXERCISES["01.3"]), content_weight=2e5)
    assert feedback_on("07.1", right(EXERCISES["07.1"]) * 4, size=(256, 320))


def test_the_first_wrong_value_of_each_student_is_another():
    answers = {right(EXERCISES["05.1"], student) for student in range(6)}
    assert len(answers) > 2
    assert "regular" not in feedback_on("05.1", right(EXERCISES["05.1"])).text


def test_a_value_before_or_after_the_fault_is_told_so():
    hints = {n: feedback_on(f"05.{n}", "output").text for n in (1, 2, 3)}
    assert all("because its inputs are" in hint for hint in hints.values())
    before = [feedback_on(f"05.{n}", "conv1.reflection_pad", 1).text for n in (1, 2, 3)]
    assert any("still right" in hint for hint in before)
    assert "no value of the model" in feedback_on("05.1", "nowhere").text


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_hints_are_counted_once_each_and_kept(cache):
    answers = (1, 1, 2.5, None, right(EXERCISES["01.2"]))
    assert [check("01.2", answer).hints for answer in answers] == [1, 1, 2, 2, 2]
    assert check("01.2", 1, student=4).hints == 1
    assert check("01.2", 1).hints == 3, "the count outlives the kernel"


def test_hints_are_given_where_nothing_can_be_written(cache):
    cache.write_text("a file where the folder should be")
    assert check("01.2", 1).hints == 1


def test_a_notebook_keeps_the_result(cache):
    data = check("01.2", 1)._repr_mimebundle_()
    assert data[MIME_TYPE] == {"exercise": "01.2", "result": "wrong", "hints": 1}
    assert data["text/plain"].startswith("01.2: not yet: ")


def test_a_task_shows_its_values_and_has_them():
    mine = task("02.2", 5)
    assert str(mine.size) in repr(mine)
    assert mine.values == EXERCISES["02.2"].given(5, {})
    with pytest.raises(AttributeError, match="no value 'width': size"):
        _ = mine.width


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("02.22", {}, r"no exercise '02\.22'; the nearest is '02\.2'"),
        ("02.2", {"sise": 3}, r"exercise 02\.2 has no parameter 'sise'; the nearest is 'size'"),
        ("02.2", {"student": "me"}, r"student 'me': give a whole number"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, parameters, message):
    with pytest.raises(InputError, match=message):
        check(name, 1, **parameters)

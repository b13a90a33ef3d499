"""A made class of 15: right and wrong answers, and notebooks that loop, read, connect, eat memory or are broken."""

from __future__ import annotations

import json
import socket
import sys
import threading

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from fns_lab.cli import BAD_INPUT, GOOD
from fns_lab.teaching.checking import MIME_TYPE
from fns_lab.teaching.exercises import EXERCISES
from fns_lab.teaching.grading import grade
from tests.teaching.answers import right

TIME_S = 25
NAMES = ("06.1", "06.2")
"""The exercises of the class: those of one notebook, which need neither a network nor a browser."""
GOOD_ONES = [f"good{i:02}" for i in range(4)]


def answers(student):
    return [right(EXERCISES[name], student) for name in NAMES]


def notebook(first, second, *, student, extra=(), hints=()):
    cells = [
        "from fns_lab.teaching import check",
        *extra,
        f"first = {first}\ncheck('{NAMES[0]}', first, {student})",
        f"second = {second}\ncheck('{NAMES[1]}', second, student={student})",
    ]
    book = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    for name, count in hints:
        data = {MIME_TYPE: {"exercise": name, "result": "right", "hints": count}}
        book.cells[0].outputs.append(new_output("display_data", data))
    return book


@pytest.fixture(scope="module")
def listener():
    """A server on this machine that counts who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connected = []

        def accept():
            while True:
                try:
                    connected.append(server.accept()[1])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], connected


@pytest.fixture(scope="module")
def graded(tmp_path_factory, listener):
    folder, elsewhere = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("elsewhere")
    (secret := elsewhere / "secret.txt").write_text("21")
    numbers = {}

    def hand_in(who, book, number=None):
        numbers[who] = number = len(numbers) + 1 if number is None else number
        path = folder / who / "06_preview.ipynb"
        path.parent.mkdir()
        path.write_text(book if isinstance(book, str) else nbformat.writes(book), encoding="utf-8")

    for who in GOOD_ONES:
        number = len(numbers) + 1
        hand_in(who, notebook(*answers(number), student=number, hints=[(NAMES[0], 2)] if who == "good01" else ()))
    hand_in("expression", notebook("10 ** (1 / 2)", "2 * 3", student=5))
    hand_in("text", notebook("'many'", answers(6)[1], student=6))
    hand_in("near", notebook(1.05 * answers(7)[0], answers(7)[1], student=7))
    hand_in("open", notebook("None", "None", student=8))
    hand_in("copied", notebook(*answers(1), student=1))
    right = answers(10)
    hand_in("loops", notebook(*right, student=10, extra=["", "while True: pass"]))
    read = f"text = open({str(secret)!r}).read()"
    spoil = f"open({str(secret)!r}, 'w').write('spoilt')"
    hand_in(
        "reads", notebook(*answers(11), student=11, extra=[read, spoil, f"import os; os.system('cp {secret} /tmp/x')"])
    )
    connect = f"import socket; socket.create_connection(('127.0.0.1', {listener[0]}), 3)"
    hand_in("connects", notebook(*answers(12), student=12, extra=[connect]))
    hand_in("hungry", notebook(*answers(13), student=13, extra=["import numpy as np; a = np.ones(3 << 30, 'uint8')"]))
    hand_in("broken", "{not a notebook")
    hand_in(
        "forges", notebook(1, 2, student=15, extra=["from fns_lab.teaching import checking; checking.RIGHT = 'wrong'"])
    )
    assert len(numbers) == 15
    table = pd.DataFrame({"who": list(numbers), "student": list(numbers.values())})
    table.to_csv(folder / "students.csv", index=False)
    grades = grade(folder, time_s=TIME_S, memory_bytes=2 << 30)
    return grades, secret, listener[1], folder


def results(graded, who):
    return list(graded[0].table.query("who == @who").result)


def notes(graded, who):
    return " ".join(graded[0].table.query("who == @who").note)


pytestmark = pytest.mark.timeout(900)


def test_the_table_has_a_row_per_student_and_exercise(graded):
    assert list(graded[0].table.query("who == 'good00'").exercise) == list(NAMES)
    assert graded[0].table.who.nunique() == 15


@pytest.mark.parametrize("who", GOOD_ONES)
def test_right_answers_are_right(graded, who):
    assert results(graded, who) == ["right", "right"]


def test_other_answers_are_what_they_are(graded):
    assert results(graded, "text") == ["kind", "right"]
    assert results(graded, "near") == ["near", "right"]
    assert results(graded, "open") == ["open", "open"]
    assert "right" not in results(graded, "expression")


def test_a_copy_of_another_students_answers_is_graded_by_the_own_number(graded):
    assert results(graded, "copied") != ["right", "right"]
    assert set(graded[0].table.query("who == 'copied'").student) == {9}


def test_hints_are_those_that_the_notebook_says_it_used(graded):
    assert list(graded[0].table.query("who == 'good01'").hints) == [2, 0]


def test_what_loops_is_stopped_and_says_so(graded):
    assert results(graded, "loops") == ["missing", "missing"]
    assert f"stopped after {TIME_S} s" in notes(graded, "loops")


@pytest.mark.skipif(sys.platform != "linux", reason="files are confined by Linux's Landlock")
def test_what_reads_files_gets_nothing_and_its_answers_count(graded):
    assert "files" in graded[0].holds
    assert "PermissionError" in notes(graded, "reads")
    assert graded[1].read_text() == "21", "nothing outside was written"
    assert results(graded, "reads") == ["right", "right"]


@pytest.mark.skipif(sys.platform != "linux", reason="the network is taken away by Linux's namespaces")
def test_what_connects_reaches_nobody(graded):
    assert "network" in graded[0].holds
    assert not graded[2]
    assert (
        "OSError" in notes(graded, "connects")
        or "Network" in notes(graded, "connects")
        or "refused" in notes(graded, "connects")
    )


def test_memory_beyond_the_limit_is_refused(graded):
    assert "Memory" in notes(graded, "hungry")
    assert results(graded, "hungry") == ["right", "right"]


def test_a_broken_notebook_is_a_row_and_harms_no_other(graded):
    assert "not a notebook" in notes(graded, "broken")
    assert results(graded, "broken") == ["missing"]


def test_an_answer_is_graded_outside_the_process_of_the_notebook(graded):
    assert "right" not in results(graded, "forges")


def test_table_and_page_are_written(graded, tmp_path):
    page = graded[0].write(tmp_path / "out")
    assert page.read_text().count("<tr") > 40
    assert len(pd.read_csv(tmp_path / "out" / "grades.csv")) == len(graded[0].table)
    assert json.loads((tmp_path / "out" / "grades.json").read_text())["rows"][0]["who"] == graded[0].table.who[0]


def test_the_command(tmp_path, cli):
    (tmp_path / "class").mkdir()
    code, _, err = cli("course", "grade", tmp_path / "class")
    assert code == BAD_INPUT
    assert "no notebooks in this folder" in err
    nbformat.write(notebook(*answers(3), student=3), tmp_path / "class" / "anna.ipynb")
    code, out, _ = cli("course", "grade", tmp_path / "class", "-o", tmp_path / "out", "--json")
    assert code == GOOD
    assert [row["result"] for row in json.loads(out)["rows"]] == ["right", "right"]
    assert json.loads(out)["rows"][0]["who"] == "anna"

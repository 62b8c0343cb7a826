from __future__ import annotations

from pathlib import Path

from opslib.lab.__main__ import main


def test_status_says_per_service_whether_it_is_up(lab, capsys):
    assert main(["status", "--folder", str(lab.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines][:3] == [["postgres", "up"], ["valkey", "up"], ["aws", "up"]]


def test_without_a_lab_status_and_down_say_so(tmp_path, capsys):
    assert main(["status", "--folder", str(tmp_path / "none")]) == 2
    assert main(["down", "--folder", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == f"There is no lab in {tmp_path / 'none'}.\n" * 2


def test_a_folder_that_cannot_be_made_is_reported_with_what_to_do(tmp_path: Path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["up", "--folder", str(tmp_path / "file" / "lab")]) == 5
    said = capsys.readouterr().err
    assert "cannot be made" in said
    assert "--folder" in said

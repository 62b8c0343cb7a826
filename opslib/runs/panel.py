"""A step in JupyterLab: its plan as a card, buttons for what can be done with it, and how it goes.

The buttons ask; the executor decides. A click arrives while the cell runs because widgets' messages come over a
subshell of the kernel, in a thread of their own; the cell waits for them.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from IPython.display import display as show

from opslib.actions.base import Action
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import Evidence, StepStatus
from opslib.runs import kernel
from opslib.runs.channel import Client
from opslib.runs.display import css, html_of
from opslib.runs.evidence import evidence_of, plan_of
from opslib.runs.markup import Html, tag
from opslib.runs.progress_line import Going

LOOK_SECONDS = 2.0
"""Between two looks whether the others have approved."""

Ask = Callable[..., Any]


class Panel:
    """One step's card and buttons. ``path`` is the executor's socket, for a word while the step is under way."""

    def __init__(self, ask: Ask, path: str, action: Action) -> None:
        self._ask, self._path, self._action = ask, path, action
        self._clicked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said = ipywidgets.HTML()
        self._reason = _heard_meanwhile(
            ipywidgets.Text(placeholder="why it is left out", description="Reason", disabled=True)
        )
        self._buttons = {
            name: self._button(name, style)
            for name, style in (
                ("Apply", "success"),
                ("Retry", "success"),
                ("Undo", "warning"),
                ("Skip", ""),
                ("End the run", "danger"),
                ("Cancel", "danger"),
            )
        }
        row = ipywidgets.HBox([*self._buttons.values(), self._reason])
        row.layout.flex_flow = "row wrap"
        self._box = ipywidgets.VBox([self._said, row])
        self._box.add_class("ops-panel")
        self._step, self._cell, self._over = "", kernel.current_cell(), False

    def carry_out(self) -> Evidence:
        """Show the plan, wait for a person's word, apply and return the evidence; raises OpsError where that ends."""
        try:
            evidence = self._carried_out()
        except BaseException:
            self._offer("", ())
            raise
        self._after(evidence)
        return evidence

    def _carried_out(self) -> Evidence:
        said = self._shown()
        show(self._box)  # type: ignore[no-untyped-call]
        if said is not None and said["state"] != "not done":
            # It was begun in this run before the notebook's process was restarted: nothing is done twice.
            evidence = self._applied(said)
            if evidence is not None:
                return evidence
            said = self._shown()
        while True:
            evidence = self._decided(said) if said is not None else self._failed(self._error)
            if evidence is not None:
                return evidence
            said = self._shown()

    def _after(self, evidence: Evidence) -> None:
        """Leave a way back under a step that was applied, for as long as its run is open."""
        if evidence.status is StepStatus.APPLIED:
            self._over = True
            self._offer("Done.", ("Undo",))
        else:
            self._offer("Left out.", ())

    def _take_back(self) -> None:
        """Undo the step after its cell has ended; what comes of it is shown here, and in the record."""
        self._offer("Undoing…", ())
        try:
            line = Client(self._path)
            try:
                said = line.ask("undo", step=self._step, cell=self._cell)
            finally:
                line.close()
        except OSError:
            return self._offer("The run is sealed. Take it back with: ops undo RUN (ops archive list).", ())
        except OpsError as error:
            return self._offer(tag("span", tag("strong", f"{type(error).__name__}: "), str(error)), ("Undo",))
        self._offer(Html(tag("style", Html(css())) + html_of("evidence", said)), ())
        return None

    def _shown(self) -> dict[str, Any] | None:
        """Ask for the plan and show it; None where it cannot be made (``_error`` says why)."""
        action = self._action
        try:
            said: dict[str, Any] = self._ask("show", action=action.name, parameters=action.model_dump(mode="json"))
        except OpsError as error:
            self._error = error
            return None
        self._step = said["step"]
        plan = {name: value for name, value in said["plan"].items() if name != "digest"}
        show(plan_of(plan))  # type: ignore[no-untyped-call]
        return said

    def _decided(self, said: Mapping[str, Any]) -> Evidence | None:
        """Wait for what a person decides on a shown plan; None to plan it anew."""
        expected = Going.expected(said["took"])
        while True:
            missing = self._ask("missing", step=self._step) if said["approvals"] else {"why": "", "next": ""}
            if missing["why"]:
                words = tag("span", tag("strong", "Waits for others. "), missing["why"], " ", missing["next"])
                self._offer(words, ("Skip", "End the run"))
            else:
                approved = "It is approved. " if said["approvals"] else "It needs no approval here. "
                self._offer(approved + expected, ("Apply", "Skip", "End the run"))
            word = self._heard(LOOK_SECONDS if missing["why"] else None)
            if word == "Apply":
                return self._applied(said)
            if word == "Skip" and (evidence := self._skipped()):
                return evidence
            if word == "End the run":
                self._ended()

    def _applied(self, said: Mapping[str, Any]) -> Evidence | None:
        """Let the executor carry the step out, and show how it goes; an interrupt (■) cancels it as the button does."""
        action = self._action
        self._offer("", ("Cancel",))
        going = Going(action.title, said["took"], lambda text: setattr(self._said, "value", text))
        answer: dict[str, Any] = {}

        def work() -> None:
            try:
                answer["evidence"] = self._ask(
                    "step", progress=going.tell, action=action.name, parameters=action.model_dump(mode="json")
                )
            except OpsError as error:
                answer["error"] = error

        thread = threading.Thread(target=work, name="step", daemon=True)
        thread.start()
        while thread.is_alive():
            try:
                going.show()
                if self._heard(0.5, thread) == "Cancel":
                    self._cancel()
            except KeyboardInterrupt:
                self._cancel()
        if "error" in answer:
            return self._failed(answer["error"])
        return evidence_of(answer["evidence"])

    def _failed(self, error: OpsError) -> Evidence | None:
        """Say why the step was not done and wait for what a person does about it; None for another try."""
        words: Html = tag("span", tag("strong", f"{type(error).__name__}: "), str(error))
        while True:
            known = ("Retry", "Undo", "Skip", "End the run") if self._step else ("Retry", "End the run")
            self._offer(words, known)
            word = self._heard(None)
            if word == "Retry":
                return None
            try:
                if word == "Undo":
                    self._undone()
                if word == "Skip" and (evidence := self._skipped()):
                    return evidence
            except OpsError as why:
                if isinstance(why, _Over):
                    raise why.said from None
                words = tag("span", tag("strong", f"{type(why).__name__}: "), str(why))
            if word == "End the run":
                self._ended()

    def _undone(self) -> None:
        self._offer("Undoing…", ())
        said = self._ask("undo", step=self._step)
        show(evidence_of(said))  # type: ignore[no-untyped-call]
        raise _Over(StepFailed(f"The step {self._step} was undone.", "Finish the run, or end it and start a new one."))

    def _skipped(self) -> Evidence | None:
        reason = self._reason.value.strip()
        if not reason:
            self._reason.placeholder = "say why first"
            self._reason.layout.border = "2px solid"
            return None
        return evidence_of(self._ask("skip", step=self._step, reason=reason))

    def _ended(self) -> None:
        self._ask("end")
        raise Refused(
            "The run was ended here; what was done before stays.",
            "Its record is in the archive (ops archive list). Go on with ops resume, or take it back with ops undo.",
        )

    def _cancel(self) -> None:
        line = Client(self._path)
        try:
            line.ask("cancel")
        finally:
            line.close()
        self._offer("Asked to break off; the step ends where it can.", ())

    def _heard(self, seconds: float | None, thread: threading.Thread | None = None) -> str:
        """Return the button that was pressed; nothing after ``seconds``, or once ``thread`` has ended."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            try:
                # In short waits, so that an interrupt of the kernel is heard.
                return self._clicked.get(timeout=0.1)
            except queue.Empty:
                if thread is not None and not thread.is_alive():
                    break
        return ""

    def _offer(self, words: str, names: tuple[str, ...]) -> None:
        """Show ``words`` and the buttons ``names``, nothing else."""
        self._said.value = str(words if isinstance(words, Html) else tag("span", words))
        for name, button in self._buttons.items():
            button.layout.display = "" if name in names else "none"
            button.disabled = name not in names
        self._reason.layout.display = "" if "Skip" in names else "none"
        self._reason.disabled = "Skip" not in names

    def _pressed(self, name: str) -> None:
        if self._over:
            threading.Thread(target=self._take_back, name="undo", daemon=True).start()
        else:
            self._clicked.put(name)

    def _button(self, name: str, style: str) -> ipywidgets.Button:
        button = ipywidgets.Button(description=name, button_style=style, disabled=True)
        button.on_click(lambda _: self._pressed(name))
        return _heard_meanwhile(button)


def _heard_meanwhile(widget: Any) -> Any:
    """Let the front end's messages for ``widget`` go to the subshell that it sends them to, while a cell runs.

    ipykernel 7.4 would send them where the widget spoke last: to the shell of the very cell that waits for them.
    """
    widget.comm._reply_subshell_for = lambda data, default: default
    return widget


class _Over(OpsError):
    """Carries the error that ends the cell out of the choice of what to do."""

    def __init__(self, said: OpsError) -> None:
        super().__init__(said.message, said.next_step)
        self.said = said

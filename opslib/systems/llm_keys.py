"""The providers of language models, asked with one of their keys: whether they know it, and one word of a chat.

Sources: OpenAI's and Together.ai's API descriptions (models, chat/completions). Asking for the models costs nothing.
Of a refusal only the provider's code is repeated: its sentence shows a part of the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from opslib.errors import Refused, SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor

ProviderName = Literal["together", "openai"]
CODES = (("error", "code"), ("error", "type"))


@dataclass(frozen=True)
class Provider:
    """A provider: the variable that holds its key, where people see its keys, and the cheapest of its models.

    ``dependency`` is what the application's health calls it.
    """

    name: ProviderName
    title: str
    variable: str
    public: str
    keys_page: str
    dependency: str
    models: tuple[str, ...]

    def base(self, settings: ReadSettings) -> str:
        """Return its address; raises SettingsError in a lab that does not say where its stand-in is."""
        said: str | None = getattr(settings, f"{self.name}_url")
        if said is None and settings.environment == "lab":
            raise SettingsError(f"{self.title}'s address is not in the lab's description.", "Take the lab down and up.")
        return said or self.public


PROVIDERS: dict[str, Provider] = {
    one.name: one
    for one in (
        Provider(
            "together",
            "Together.ai",
            "TOGETHER_API_KEY",
            "https://api.together.ai/v1",
            "https://api.together.ai/settings/api-keys",
            "togetherAI",
            ("meta-llama/Llama-3.2-3B-Instruct-Turbo", "meta-llama/Llama-3-8b-chat-hf"),
        ),
        Provider(
            "openai",
            "OpenAI",
            "OPENAI_API_KEY",
            "https://api.openai.com/v1",
            "https://platform.openai.com/api-keys",
            "openAI",
            ("gpt-4.1-nano", "gpt-4o-mini", "gpt-3.5-turbo"),
        ),
    )
}
"""Every provider, by its name."""


@dataclass(frozen=True)
class Spoken:
    """What one word of a chat took: model and tokens; ``project`` is whose key it was, where the provider says it."""

    model: str
    tokens: int
    project: str


class Pricing(Shape):
    """USD per million tokens that are asked and answered, as Together.ai tells them with each model."""

    input: Decimal
    output: Decimal


class _Model(Shape):
    id: str
    pricing: Pricing | None = None


class _Models(Shape):
    data: list[_Model]


class _Usage(Shape):
    total_tokens: int


class _Chat(Shape):
    usage: _Usage


class ReadOnlyKeys:
    """The providers asked with GET alone, each time with the key that is handed in."""

    def __init__(self, settings: ReadSettings) -> None:
        self._settings = settings

    def knows(self, provider: Provider, key: Secret) -> bool:
        """Tell whether the provider takes the key (False: 401); raises Unreachable for every other answer."""
        try:
            self.models(provider, key)
        except Unreachable as error:
            if error.kind == "unauthorized":
                return False
            raise
        return True

    def models(self, provider: Provider, key: Secret) -> list[str]:
        """Return the models that the key may use; raises Unreachable."""
        return [one.id for one in self._listed(provider, key)]

    def prices(self, provider: Provider, key: Secret) -> dict[str, Pricing]:
        """Return the prices that a provider tells with its models, by model (OpenAI tells none); raises Unreachable."""
        return {one.id: one.pricing for one in self._listed(provider, key) if one.pricing is not None}

    def _listed(self, provider: Provider, key: Secret) -> list[_Model]:
        api = Api(vendor(provider), provider.base(self._settings), key)
        try:
            found = api.get(list[_Model] | _Models, "models")  # type: ignore[arg-type]
        finally:
            api.close()
        return found.data if isinstance(found, _Models) else found

    def close(self) -> None:
        """Nothing stays open between two questions."""


class Keys(ReadOnlyKeys):
    """Also says one word, which is paid for: less than 0.0001 USD."""

    def speak(self, provider: Provider, key: Secret) -> Spoken:
        """Ask for one token of the cheapest model that the key may use; raises Refused where it may use none of those.

        Raises Unreachable as :meth:`models`.
        """
        offered = self.models(provider, key)
        model = next((one for one in provider.models if one in offered), None)
        if model is None:
            said = ", ".join(provider.models)
            raise Refused(f"The key may use none of {provider.title}'s cheap models ({said}).", "Look at its project.")
        api = WritingApi(vendor(provider), provider.base(self._settings), key)
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
        try:
            answer = api.send("POST", "chat", "completions", body=body)
            chat = api.read(_Chat, "POST chat/completions", answer)
        finally:
            api.close()
        return Spoken(model, chat.usage.total_tokens, answer.headers.get("openai-project", ""))


def vendor(provider: Provider) -> Vendor:
    """Return the provider as messages name it; of its refusals only the code is repeated."""
    return Vendor(provider.title, provider.variable, words=CODES)

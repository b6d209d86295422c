"""What every entry of a catalogue file is: a table from which facts follow."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from api.catalogue_values import Moment
from ledger.decisions.catalogue import CatalogueFact
from ledger.rules.toml_file import STRICT


class Entry(BaseModel):
    """One table of the file, from which facts follow."""

    model_config = STRICT
    called: ClassVar[Mapping[str, str]] = {"code": "short_code", "operators": "operator"}
    """By key of the file, the field of the fact, where the two have different names."""

    effective_from: Moment | None = None

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Give the facts that this asks for from an instant on."""
        raise NotImplementedError

    def fields(self) -> Mapping[str, str]:
        """Give the key that each of the fact's fields is written at."""
        return {self.called.get(key, key): key for key in type(self).model_fields}

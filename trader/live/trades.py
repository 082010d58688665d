"""Every fill as one JSON line in a file."""

from io import TextIOWrapper
from pathlib import Path

import msgspec

from trader.errors import ConfigError, EdgeError
from trader.model.events import OrderFilled
from trader.model.money import plain
from trader.model.time import iso


class TradesFile:
    """Writes fills as they are booked; a line is in the file when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        """Create the file, replacing one that is there. Raises ConfigError when it cannot be written."""
        self._path = path
        try:
            self._file: TextIOWrapper = path.open("w", encoding="utf-8")
        except OSError as error:
            msg = f"--export-trades {path}: cannot be written ({error.strerror}); name a file in a folder you may write"
            raise ConfigError(msg) from error

    def write(self, fill: OrderFilled) -> None:
        """Add one fill. Raises EdgeError when the disk refuses it."""
        line = {
            "ts": iso(fill.ts),
            "strategy": fill.strategy,
            "symbol": fill.symbol,
            "side": fill.side,
            "qty": plain(fill.qty),
            "price": plain(fill.price),
            "fee": plain(fill.fee),
            "fee_asset": fill.fee_asset,
            "order_id": fill.order_id,
            "execution_id": fill.execution_id,
            "decision_price": plain(fill.decision_price),
            "reason": fill.reason,
        }
        try:
            self._file.write(msgspec.json.encode(line).decode() + "\n")
            self._file.flush()
        except OSError as error:
            msg = f"--export-trades {self._path}: a fill could not be written ({error.strerror}); the run ends here"
            raise EdgeError(msg) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

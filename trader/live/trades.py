"""Every fill as one JSON line in a file."""

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
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"--export-trades {path}: cannot be written ({error.strerror}); name a file in a folder you may write"
            ) from error

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
            data = msgspec.json.encode(line) + b"\n"
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise EdgeError(
                f"--export-trades {self._path}: a fill could not be written ({error.strerror}); the run ends here"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

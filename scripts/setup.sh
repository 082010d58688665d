# Sourced by the programs beside it, which set $scripts to this folder. Gives $root, $venv and `set_up run|dev`.
# When .venv is as the lock wants it, that costs two calls of cmp and starts no Python.

root=$(CDPATH='' cd -- "$scripts/.." && pwd -P)
venv=$root/.venv
unset PYTHONOPTIMIZE # an assert states an invariant of the books: it stays on

set_up() {
	if ! is_ready "$1"; then
		find_python
		"$python" "$root/scripts/setup.py" "$1" || exit
	fi
}

# Whether .venv was set up to the end, here, from today's lock. scripts/setup.py writes what is compared.
is_ready() {
	stamp=$venv/.setup
	lock=$1
	[ ! -e "$stamp/dev.txt" ] || lock=dev
	[ -x "$venv/bin/python" ] && [ ! -e "$stamp/unfinished" ] && [ -r "$stamp/root" ] &&
		read -r place <"$stamp/root" && [ "$place" = "$root" ] &&
		cmp -s "$stamp/$lock.txt" "$root/scripts/locks/$lock.txt" &&
		cmp -s "$stamp/pyproject.toml" "$root/pyproject.toml"
}

find_python() {
	for python in "${TRADER_PYTHON:-python3}" python3.13 python3.12 python3.11 python3.14; do
		if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			return
		fi
		[ -z "${TRADER_PYTHON:-}" ] || break # a person's choice is not replaced
	done
	python=${TRADER_PYTHON:-python3}
	found=$("$python" -c 'import sys; print("is Python " + sys.version.split()[0])' 2>/dev/null) || found='does not run'
	echo "trader: needs Python 3.11 or newer, but $python $found." >&2
	echo "trader: install one, or name one: TRADER_PYTHON=/path/to/python3.11 $0" >&2
	exit 1
}

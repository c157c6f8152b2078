# Sets PYTHON to a Python that can run Pinsync, or says what is missing. Needs nothing but a shell.
# The version that the requirements were resolved for comes first.
PYTHON=
seen=
for candidate in python3.11 python3.12 python3.13 python3.14 python3 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if [ "$("$candidate" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; then
        PYTHON=$candidate
        break
    fi
    seen="$seen; $candidate here is $("$candidate" --version 2>&1)"
done
if [ -z "$PYTHON" ]; then
    echo "Pinsync needs Python 3.11 or newer, and there is none on the PATH$seen. Install it and start again." >&2
    exit 1
fi

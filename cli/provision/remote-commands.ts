import { SETUP_LOCK } from '../setup/index.ts'

/**
 * Command lines that are sent to servers. Each is a constant: what a command is about comes on standard input. They have no
 * single quotes, line ends or exclamation marks, which some login shells take for themselves.
 */

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are of the shell

/**
 * Reads the name of a version, 64 hexadecimal digits, as the first line of standard input; ends with 64 for another. Ends with
 * 66 where others than root may write to our folder, or to what leads there: what lies in it would run as root.
 */
const READ_VERSION = [
  'IFS= read -r v; [ "${#v}" = 64 ] && [ -z "$(printf %s "$v" | tr -d 0-9a-f)" ] || exit 64',
  'r=/opt/makiatto',
  '[ -h "$r" ] && exit 66',
  'for f in "$r" "$r/versions" "$r/versions/$v"; do [ -e "$f" ] || continue; [ -O "$f" ] && [ -z "$(find "$f" -prune -perm /022)" ] || exit 66; done',
].join('; ')

/** A shell for a script on standard input. */
export const SCRIPT_COMMAND = 'sh -s'

/** The rest of standard input is read by the version's own program. 65: it is not there. */
export const SETUP_COMMAND = `${READ_VERSION}; p="$r/versions/$v/bin/makiatto"; [ -x "$p" ] || exit 65; exec "$p" setup`

/** Says `whole` or `missing`. */
export const LOOK_COMMAND = `${READ_VERSION}; [ -x "$r/versions/$v/bin/makiatto" ] && echo whole || echo missing`

/**
 * Second line: the length of the archive in octets; then that. What lies in `incoming` has the process id of who brings it at
 * its end, so that what a cut connection left is known from what is on its way. The folder appears under its name when all of
 * it is on the disk.
 */
export const UPLOAD_COMMAND = [
  READ_VERSION,
  'IFS= read -r n',
  'umask 022',
  'p="$r/incoming/$v.part.$$"',
  'd="$r/incoming/$v.$$"',
  // Another upload that ends takes the folder away where it is empty.
  'mkdir -p "$d" "$r/versions" || mkdir -p "$d" "$r/versions" || exit 67',
  'chmod 700 "$r/incoming"',
  'for f in "$r"/incoming/*; do [ -e "$f" ] || continue; kill -0 "${f##*.}" 2>/dev/null || rm -rf "$f"; done',
  'clean() { rm -rf "$p" "$d"; rmdir "$r/incoming" "$r/versions" "$r" 2>/dev/null; }',
  'trap clean EXIT',
  'trap "exit 71" HUP INT TERM PIPE',
  'cat > "$p" || exit 68',
  '[ "$(wc -c < "$p" | tr -d " ")" = "$n" ] || exit 69',
  'printf "%s  %s\\n" "$v" "$p" | sha256sum -c - >/dev/null 2>&1 || exit 70',
  'tar -xzof "$p" -C "$d" || exit 68',
  'rm -f "$p"',
  '[ -x "$d/bin/makiatto" ] || exit 72',
  'sync -f "$d" 2>/dev/null || sync',
  'take() { mkdir -p "$r/versions"; [ -e "$r/versions/$v" ] || mv -T "$d" "$r/versions/$v" || [ -e "$r/versions/$v" ]; }',
  'take || take || take || exit 68',
  'echo whole',
].join('; ')

/**
 * Takes a version away that nothing runs, and the folders above it where they are empty then. While somebody sets the server up,
 * perhaps by that very version, nothing goes.
 */
export const DISCARD_COMMAND = [
  READ_VERSION,
  `[ -e "${SETUP_LOCK}" ] && { flock -n "${SETUP_LOCK}" true || exit 0; }`,
  'case "$(readlink "$r/current" 2>/dev/null)" in *"$v"*) exit 0;; esac',
  '[ -e "$r/journal.json" ] || rm -rf "$r/versions/$v"',
  'rmdir "$r/incoming" "$r/versions" "$r" 2>/dev/null',
  'exit 0',
].join('; ')

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above

/**
 * What the guardian process runs. It is a text for `/bin/sh` and not a module, because it must start the same way from
 * compiled and from uncompiled sources, in a few milliseconds and one megabyte, and must outlive whatever is wrong
 * with the Node process that it watches.
 *
 * `$1` is a text that every process to be watched has in its environment, the other arguments are folders. Lines on the standard
 * input:
 * `pid <id> <start>` adds a process group, `dir <path>` a folder, `lock <token> <path>` a file that is the parent's as
 * long as it holds the token, `done` ends the watch. When the input ends without `done`, the parent is dead: everything
 * that was named is killed and removed.
 */
export const GUARDIAN_SCRIPT: string = `
trap '' HUP INT QUIT TERM PIPE
newline='
'
marker=$1 processes= folders= locks=
shift
for folder in "$@"; do folders="$folders$newline$folder"; done

# The start of a process in the kernel's ticks; the program's name in parentheses may hold anything. Without /proc: ps.
start_of() {
  if [ -r "/proc/$1/stat" ]; then
    read -r line < "/proc/$1/stat" 2>/dev/null || return 0
    set -- \${line##*) }
    [ "$1" = Z ] || echo "\${20}"
  elif [ ! -d /proc/self ]; then
    ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
  fi
}

while IFS= read -r command; do
  case $command in
    'pid '*)
      set -- \${command#pid }
      start=$2
      [ "$start" = - ] && start=$(start_of "$1")
      processes="$processes $1:$start" ;;
    'dir '*) folders="$folders$newline\${command#dir }" ;;
    'lock '*) locks="$locks$newline\${command#lock }" ;;
    done) exit 0 ;;
  esac
done

for process in $processes; do
  id=\${process%%:*}
  if [ -n "\${process#*:}" ] && [ "$(start_of "$id")" = "\${process#*:}" ]; then
    kill -s KILL -- "-$id" 2>/dev/null
    kill -s KILL "$id" 2>/dev/null
  fi
done

# Processes that were started in the moment before the parent died, and children of those that are dead already.
rounds=0
while [ "$rounds" -lt 20 ] && [ -d /proc/self ]; do
  found=
  for file in $(grep -lsF -- "$marker" /proc/[0-9]*/environ 2>/dev/null); do
    id=\${file#/proc/}
    id=\${id%/environ}
    [ -n "$(start_of "$id")" ] && kill -s KILL "$id" 2>/dev/null && found=yes
  done
  [ -n "$found" ] || break
  rounds=$((rounds + 1))
  sleep 0.05
done

IFS=$newline
set -f
rounds=0
while [ "$rounds" -lt 100 ]; do
  left=
  for path in $folders; do
    rm -rf -- "$path" 2>/dev/null
    [ -e "$path" ] && left=yes
  done
  [ -n "$left" ] || break
  rounds=$((rounds + 1))
  sleep 0.1
done

for lock in $locks; do
  path=\${lock#* }
  grep -qsF -- "\${lock%% *}" "$path" && rm -f -- "$path"
done
`;

#!/usr/bin/env bash
# Prints, as a JSON list, the modules of go.work that a change since commit $1 can
# have an effect on: those with a changed file and those that require one of them.
# Without $1, or where a file outside of all modules has changed, it is all of them.
# The tests over real servers are left out: they have a lane of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

modules=$(go work edit -json | jq -r '.Use[].DiskPath | ltrimstr("./")')
everything=
declare -A changed

if [[ -z ${1-} ]]; then
	everything=1
else
	files=$(git diff --name-only "$1...HEAD")
	while read -r file; do
		owner=
		for module in $modules; do
			if [[ $file == "$module"/* && ${#module} -gt ${#owner} ]]; then
				owner=$module
			fi
		done
		if [[ $owner ]]; then
			changed[$owner]=1
		elif [[ $file ]]; then
			everything=1
		fi
	done <<<"$files"
fi

for module in $modules; do
	if [[ $module == conformance/integration ]]; then
		continue
	fi
	affected=$everything${changed[$module]-}
	for required in $(cd "$module" && go mod edit -json | jq -r '.Replace[]?.New.Path'); do
		required=$(realpath --relative-to=. "$module/$required")
		affected+=${changed[$required]-}
	done
	if [[ $affected ]]; then
		echo "$module"
	fi
done | jq --raw-input --slurp --compact-output 'split("\n") | map(select(. != ""))'

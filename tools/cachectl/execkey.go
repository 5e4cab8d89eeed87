package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
)

// commandKey makes a key from all that the answer of a command depends on, as
// far as it was told: the command, its arguments, the working directory, the
// variables named and stdin. Each part is quoted, so that no two lists of parts
// read the same. It is a hash, for variables may be secrets.
func commandKey(s *spawn, names []string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "command %q\ndirectory %q\n", s.args, dir)
	for _, name := range slices.Sorted(slices.Values(names)) {
		value := "unset"
		for _, entry := range s.environ {
			if text, ok := strings.CutPrefix(entry, name+"="); ok {
				value = fmt.Sprintf("%q", text)
			}
		}
		fmt.Fprintf(h, "variable %q %s\n", name, value)
	}
	if s.stdin != nil {
		fmt.Fprintln(h, "stdin") // the last part, so it needs no quotes
		h.Write(s.stdin)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

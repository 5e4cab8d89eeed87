package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A line is KEY=VALUE. Either may be quoted as in Go, and is where it could not
// be read back otherwise: with a line break, not UTF-8, and the like.

func appendLine(dst []byte, key string, value []byte) []byte {
	if !isPlain(key) || strings.Contains(key, "=") || strings.HasPrefix(key, "#") {
		key = strconv.Quote(key)
	}
	text := string(value)
	if !isPlain(text) {
		text = strconv.Quote(text)
	}
	return fmt.Appendf(dst, "%s=%s\n", key, text)
}

func isPlain(text string) bool {
	for _, r := range text {
		if !strconv.IsPrint(r) && r != '\t' {
			return false
		}
	}
	return utf8.ValidString(text) && !strings.HasPrefix(text, `"`)
}

// parseLines reads lines; empty ones and those that begin with # are left out.
func parseLines(data []byte) (map[string][]byte, error) {
	items := make(map[string][]byte)
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if text == "" || text[0] == '#' {
			continue
		}
		key, value, err := parseLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		items[key] = []byte(value)
	}
	return items, nil
}

// parseLine never puts the line into its error: it may hold a secret.
func parseLine(text string) (key, value string, err error) {
	key, value, found := strings.Cut(text, "=")
	if text[0] == '"' {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", errors.New("the quoted key is not closed")
		}
		key, _ = strconv.Unquote(quoted)
		value, found = strings.CutPrefix(text[len(quoted):], "=")
	}
	if !found {
		return "", "", errors.New("not KEY=VALUE")
	}
	if strings.HasPrefix(value, `"`) {
		if value, err = strconv.Unquote(value); err != nil {
			return "", "", errors.New("the quoted value is not closed, or goes on after the quote")
		}
	}
	return key, value, nil
}

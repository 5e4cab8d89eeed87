package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete KEY...",
		Short:   "Remove keys; exit status 1 if one was absent",
		Example: "  cachectl delete greeting logo",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			deleted, err := c.DeleteMany(ctx, args...)
			if err != nil {
				return err
			}
			missing := slices.DeleteFunc(slices.Clone(args), func(key string) bool { return slices.Contains(deleted, key) })
			fields := object{"deleted": append([]string{}, deleted...), "missing": missing}
			return a.result(len(missing) == 0, fields, nil)
		}),
	}
}

func (a *app) getManyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get-many KEY...",
		Short: "Print several entries as KEY=VALUE lines; exit status 1 if one is missing",
		Long: `Print the entries that are present, one KEY=VALUE line each, in the order of the
arguments. A key or value that does not fit in a line is quoted as in Go; set-many
reads it back. The exit status is 1 if an entry is missing.`,
		Example: "  cachectl get-many a b | cachectl --config other.json set-many",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			results, err := c.GetMany(ctx, args...)
			if err != nil {
				return err
			}
			var (
				lines   []byte
				texts   = make(map[string]string)
				binary  = make(map[string][]byte)
				missing = []string{}
			)
			for i, key := range args {
				value := results[i].Value
				switch {
				case !results[i].OK:
					missing = append(missing, key)
					continue
				case utf8.Valid(value):
					texts[key] = string(value)
				default:
					binary[key] = value
				}
				lines = appendLine(lines, key, value)
			}
			fields := object{"values": texts, "values_base64": binary, "missing": missing}
			return a.result(len(missing) == 0, fields, lines)
		}),
	}
}

func (a *app) setManyCommand() *cobra.Command {
	in := input{file: "-"}
	var ttl timeout
	cmd := &cobra.Command{
		Use:   "set-many",
		Short: "Store several entries from KEY=VALUE lines or a JSON object",
		Long: `Store the entries in stdin or a file: one JSON object, or KEY=VALUE lines.
A JSON string is stored as its text, any other value as JSON. In lines, spaces are
kept, "quoted" keys and values are read as in Go, and # begins a comment line.`,
		Example: `  cachectl set-many --timeout 1h --file entries.json
  printf 'a=1\nb=2\n' | cachectl set-many`,
		Args: cobra.NoArgs,
	}
	in.addTo(cmd)
	ttl.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		data, err := in.read(a)
		if err != nil {
			return err
		}
		items, err := parseItems(data)
		if err != nil {
			return usagef("%s: %w", in.file, err)
		}
		if err := c.SetMany(ctx, items, ttl.options()...); err != nil {
			return err
		}
		return a.result(true, object{"stored": len(items)}, nil)
	})
	return cmd
}

// parseItems reads a JSON object or lines.
func parseItems(data []byte) (map[string][]byte, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseLines(data)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	items := make(map[string][]byte, len(values))
	for key, value := range values {
		var text string
		if json.Unmarshal(value, &text) == nil && value[0] == '"' {
			value = []byte(text)
		}
		items[key] = value
	}
	return items, nil
}

// appendLine appends key and value as a KEY=VALUE line. It quotes what parseLines
// could not read back otherwise, such as line breaks and invalid UTF-8, or parseItems would
// read as JSON.
func appendLine(dst []byte, key string, value []byte) []byte {
	isJSON := strings.HasPrefix(strings.TrimSpace(key), "{")
	if !isPlain(key) || isJSON || strings.Contains(key, "=") || strings.HasPrefix(key, "#") {
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

// parseLines reads KEY=VALUE lines. It skips empty lines and those that begin with #.
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

// parseLine never puts text into its error: it may be a secret.
func parseLine(text string) (key, value string, err error) {
	key, value, found, err := parsePair(text, "=")
	if err == nil && !found {
		err = errors.New("not KEY=VALUE")
	}
	return key, value, err
}

// parsePair splits text at the first separator; found reports whether there is one. A
// quoted key or value is read as in Go.
func parsePair(text, separator string) (key, value string, found bool, err error) {
	key, value, found = strings.Cut(text, separator)
	if text[0] == '"' {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", false, errors.New("unterminated quoted key")
		}
		rest := text[len(quoted):]
		key, _ = strconv.Unquote(quoted)
		value, found = strings.CutPrefix(rest, separator)
		if !found && rest != "" {
			return "", "", false, errors.New("text after the quoted key")
		}
	}
	if strings.HasPrefix(value, `"`) && found {
		if value, err = strconv.Unquote(value); err != nil {
			return "", "", false, errors.New("unterminated quoted value, or text after its closing quote")
		}
	}
	return key, value, found, nil
}

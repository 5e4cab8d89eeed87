package driver

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// toList reads a slice, a JSON list, text with commas, or pairs of host and port,
// which become "host:port". A list that is given has an element: an empty one would
// silently become the default.
func toList(given any) ([]string, error) {
	list, err := elements(given)
	if err == nil && len(list) == 0 {
		err = errNoList
	}
	return list, err
}

func elements(given any) ([]string, error) {
	if text, ok := given.(string); ok {
		return splitList(text)
	}
	value := reflect.ValueOf(given)
	if value.Kind() != reflect.Slice {
		return nil, errList
	}
	var list []string
	for i := range value.Len() {
		element, err := toElement(value.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}

func splitList(text string) ([]string, error) {
	if strings.HasPrefix(text, "[") && strings.ContainsAny(text, "\"{") { // JSON, not [::1]:80
		var list []any
		if decodeJSON(text, &list) != nil {
			return nil, errList
		}
		return elements(list)
	}
	if strings.Trim(text, "[] \t\r\n") == "" && text != "" {
		return nil, errNoList
	}
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		part = trim(part)
		if strings.ContainsAny(part, "; \t\r\n") || !isElement(part) {
			return nil, errList
		}
		if part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

// isElement reports whether no part of the notation of a list is left in text:
// quotes, or brackets other than around an address of IPv6.
func isElement(text string) bool {
	if strings.ContainsAny(text, "\"'") {
		return false
	}
	opened, closed := strings.Count(text, "["), strings.Count(text, "]")
	return opened == closed && (opened == 0 || opened == 1 && text[0] == '[')
}

func toElement(element any) (string, error) {
	if text, ok := asText(element); ok {
		text = trim(text)
		if text == "" || !isElement(text) {
			return "", errElement
		}
		return text, nil
	}
	switch e := element.(type) {
	case map[string]any:
		return nodeAddr(e)
	case []any: // Python's (host, port)
		if host, ok := first(e).(string); ok && len(e) == 2 {
			return hostPort(host, e[1])
		}
	}
	return "", errElement
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// nodeAddr reads {"host": ..., "port": ...}. Another key, such as a password, would
// have no effect.
func nodeAddr(node map[string]any) (string, error) {
	for _, key := range slices.Sorted(maps.Keys(node)) {
		if key != "host" && key != "port" {
			return "", fmt.Errorf("a list with a map that has the unknown key %q: only host and port", key)
		}
	}
	host, ok := node["host"].(string)
	if !ok || node["port"] == nil {
		return "", errElement
	}
	return hostPort(host, node["port"])
}

func hostPort(host string, port any) (string, error) {
	host = trim(host)
	n, err := toInt(port)
	if err != nil || host == "" || !isElement(host) {
		return "", errElement
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]" // IPv6
	}
	return host + ":" + strconv.FormatInt(n, 10), nil
}

package driver

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Unmarshaler is implemented by types of settings that convert values themselves.
// value is the value that was given: text, a number, a boolean, a list or a map. The
// error completes the sentence "VALUE is ..." and does not repeat value.
type Unmarshaler interface {
	UnmarshalSetting(value any) error
}

// convert stores given into target, which has the type of f. Its error completes
// the sentence "VALUE is ...".
func (f field) convert(target reflect.Value, given any) error {
	if text, ok := given.(string); ok && !f.verbatim {
		given = trim(text)
	}
	switch p := target.Addr().Interface().(type) {
	case Unmarshaler:
		return p.UnmarshalSetting(given)
	case encoding.TextUnmarshaler:
		text, err := toText(given)
		if err != nil {
			return err
		}
		return p.UnmarshalText([]byte(text))
	case *Secret:
		text, err := toText(given)
		if err == nil && strings.ContainsAny(last(text), "\r\n") {
			err = errLineEnd
		}
		*p = NewSecret(text)
		return err
	case *time.Duration:
		return into(p, given, toDuration)
	case *string:
		err := into(p, given, toText)
		if err == nil && strings.ContainsAny(*p, "\r\n") {
			err = errLineEnd
		}
		return err
	case *bool:
		return into(p, given, toBool)
	case *[]string:
		return into(p, given, toList)
	case *map[string]any:
		return into(p, given, toMap)
	}
	switch target.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := toInt(given)
		if err == nil && target.OverflowInt(n) {
			err = errNumber
		}
		if err == nil {
			target.SetInt(n)
		}
		return err
	case reflect.Float64:
		n, err := toFloat(given)
		target.SetFloat(n)
		return err
	}
	if value := reflect.ValueOf(given); value.Type().AssignableTo(f.typ) {
		target.Set(value)
		return nil
	}
	return fmt.Errorf("a %T, not a %v", given, f.typ)
}

func into[T any](target *T, given any, convert func(any) (T, error)) (err error) {
	*target, err = convert(given)
	return err
}

var (
	errLineEnd  = errors.New("text with a line end: remove it")
	errText     = errors.New("not text")
	errNumber   = errors.New("not a whole number")
	errFloat    = errors.New("not a number")
	errBool     = errors.New("not true or false")
	errDuration = errors.New(`not seconds or a duration such as "5m"`)
	errList     = errors.New("not a list: separate its elements with commas")
	errElement  = errors.New("not a list of texts, or of host and port")
	errMap      = errors.New("not a map or a JSON object")
)

// trim removes the blanks, line ends and matching quotes that shells, .env files and
// Kubernetes secrets leave around a value.
func trim(text string) string {
	text = strings.TrimSpace(text)
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		return strings.TrimSpace(text[1 : n-1])
	}
	return text
}

func last(text string) string { return text[max(len(text)-1, 0):] }

func toText(given any) (string, error) {
	switch v := given.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case json.Number:
		return v.String(), nil
	case float64: // a number in JSON or YAML; printed without an exponent
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case fmt.Stringer:
		return v.String(), nil
	}
	if v := reflect.ValueOf(given); v.CanInt() || v.CanUint() || v.Kind() == reflect.Bool || v.Kind() == reflect.String {
		return fmt.Sprint(given), nil
	}
	return "", errText
}

func toInt(given any) (int64, error) {
	text, err := toText(given)
	if err != nil {
		return 0, errNumber
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64) // 5.0 and 1e3, as JSON may write them
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, errNumber
	}
	return int64(f), nil
}

func toFloat(given any) (float64, error) {
	text, err := toText(given)
	if err != nil {
		return 0, errFloat
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, errFloat
	}
	return f, nil
}

func toBool(given any) (bool, error) {
	text, err := toText(given)
	if err != nil {
		return false, errBool
	}
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1", "t", "y":
		return true, nil
	case "false", "no", "off", "0", "f", "n":
		return false, nil
	}
	return false, errBool
}

// toDuration reads seconds or a duration of Go. A positive duration never becomes 0,
// which has another meaning.
func toDuration(given any) (time.Duration, error) {
	if d, ok := given.(time.Duration); ok {
		return d, nil
	}
	text, err := toText(given)
	if err != nil {
		return 0, errDuration
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d == 0 && strings.ContainsAny(text, "123456789") {
			d = 1
		}
		return d, nil
	}
	seconds, err := toFloat(text)
	if err != nil || math.Abs(seconds) >= math.MaxInt64/float64(time.Second) {
		return 0, errDuration
	}
	d := time.Duration(seconds * float64(time.Second))
	if d == 0 && seconds > 0 {
		d = 1
	}
	return d, nil
}

// toList reads a slice, a JSON list, text with commas, or pairs of host and port,
// which become "host:port".
func toList(given any) ([]string, error) {
	if text, ok := given.(string); ok {
		return splitList(text)
	}
	if list, ok := given.([]string); ok {
		return list, nil
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
		return toList(list)
	}
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		part = trim(part)
		if strings.ContainsAny(part, "; \t\r\n") {
			return nil, errList
		}
		if part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

func toElement(element any) (string, error) {
	switch e := element.(type) {
	case string:
		return trim(e), nil
	case map[string]any:
		if host, ok := e["host"].(string); ok && e["port"] != nil {
			return hostPort(host, e["port"])
		}
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

func hostPort(host string, port any) (string, error) {
	n, err := toInt(port)
	if err != nil {
		return "", errElement
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]" // IPv6
	}
	return host + ":" + strconv.FormatInt(n, 10), nil
}

func toMap(given any) (map[string]any, error) {
	switch v := given.(type) {
	case map[string]any:
		return v, nil
	case string:
		var object map[string]any
		if decodeJSON(v, &object) != nil || object == nil {
			return nil, errMap
		}
		return object, nil
	}
	return nil, errMap
}

// decodeJSON reads one JSON value that fills text to its end.
func decodeJSON(text string, target any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more text after the first JSON value")
	}
	return nil
}

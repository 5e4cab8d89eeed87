package driver

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
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

// convert stores given, which is not a nil pointer, into target, which has the type
// of f. Its error completes the sentence "VALUE is ...".
func (f field) convert(target reflect.Value, given any) error {
	if text, ok := asText(given); ok {
		if !f.verbatim && isBlank(text) {
			return errBlank
		}
		if given = text; !f.verbatim {
			given = trim(text)
		}
	}
	if secret, ok := asSecret(given); ok {
		p, ok := target.Addr().Interface().(*Secret)
		if !ok {
			return errSecret
		}
		given = secret.Reveal()
		*p = secret
	}
	switch p := target.Addr().Interface().(type) {
	case Unmarshaler:
		return p.UnmarshalSetting(given)
	case encoding.TextUnmarshaler:
		if reflect.TypeOf(given) == f.typ { // such as a constant of the enumeration
			target.Set(reflect.ValueOf(given))
			return nil
		}
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

// isConvertible reports whether convert has a rule for the type of f.
func (f field) isConvertible() bool {
	switch reflect.New(f.typ).Interface().(type) {
	case Unmarshaler, encoding.TextUnmarshaler, *Secret, *string, *bool, *[]string, *map[string]any:
		return true
	}
	switch f.typ.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64, reflect.Interface, reflect.Pointer:
		return true
	}
	return false
}

func into[T any](target *T, given any, convert func(any) (T, error)) (err error) {
	*target, err = convert(given)
	return err
}

var (
	errLineEnd  = errors.New("text with a line end: remove it")
	errBlank    = errors.New("blank: set a value, or remove the setting")
	errSecret   = errors.New("a secret, though the setting is not secret")
	errText     = errors.New("not text")
	errNumber   = errors.New("not a whole number")
	errFloat    = errors.New("not a number")
	errBool     = errors.New("not true or false")
	errDuration = errors.New(`not seconds or a duration such as "5m"`)
	errList     = errors.New("not a list: separate its elements with commas")
	errNoList   = errors.New("an empty list: name at least one element, or remove the setting")
	errElement  = errors.New("not a list of texts, or of host and port")
	errMap      = errors.New("not a map or a JSON object")
)

// asText returns text of any type of text, so that all of them are trimmed alike.
// A String method is not asked: it may hide a secret that is then stored as "***".
func asText(given any) (string, bool) {
	switch v := given.(type) {
	case json.Number:
		return "", false // a number
	case []byte:
		return string(v), true
	}
	if v := reflect.ValueOf(given); v.Kind() == reflect.String {
		return v.String(), true
	}
	return "", false
}

func asSecret(given any) (Secret, bool) {
	switch v := given.(type) {
	case Secret:
		return v, true
	case *Secret:
		return *v, true
	}
	return Secret{}, false
}

// isBlank reports whether text has blanks and nothing else, which would turn a
// setting off unnoticed.
func isBlank(text string) bool {
	return trim(text) == "" && strings.ContainsAny(text, " \t\r\n")
}

// trim removes the blanks, line ends and matching quotes that shells, .env files and
// Kubernetes secrets leave around a value.
func trim(text string) string {
	text = strings.TrimSpace(text)
	n := len(text)
	if n < 2 || text[0] != '"' && text[0] != '\'' || text[n-1] != text[0] {
		return text
	}
	inner := text[1 : n-1]
	if strings.IndexByte(inner, text[0]) >= 0 {
		return text // "a","b"
	}
	return strings.TrimSpace(inner)
}

func last(text string) string { return text[max(len(text)-1, 0):] }

func toText(given any) (string, error) {
	switch v := given.(type) {
	case json.Number:
		return v.String(), nil
	case time.Duration:
		return v.String(), nil // with its unit, so that it is no number
	case *url.URL:
		if v != nil {
			return v.String(), nil
		}
	}
	switch v := reflect.ValueOf(given); {
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case v.CanFloat(): // a number in JSON or YAML; printed without an exponent
		return strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits()), nil
	}
	return "", errText
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

func toMap(given any) (map[string]any, error) {
	switch v := given.(type) {
	case map[string]any:
		return v, nil
	case Nested:
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

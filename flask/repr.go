package flask

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// repr returns what Python's repr returns for a plain value, from which Flask-Caching
// makes keys. A value whose repr depends on the Python program is an error.
func repr(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "None", nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	case *big.Int:
		return v.String(), nil
	case float64:
		return reprFloat(v), nil
	case string:
		return reprString(v), nil
	case []byte:
		return "b" + reprBytes(v), nil
	case []any:
		return reprItems("[", v, "]")
	case Tuple:
		if len(v) == 1 {
			return reprItems("(", v, ",)")
		}
		return reprItems("(", v, ")")
	case Decimal:
		return "Decimal('" + string(v) + "')", nil
	case UUID:
		return "UUID('" + v.String() + "')", nil
	case Date:
		return fmt.Sprintf("datetime.date(%d, %d, %d)", v.Year, v.Month, v.Day), nil
	}
	return "", fmt.Errorf("the repr of a %T is not known: pass a value of a plain type", value)
}

func reprItems(begin string, items []any, end string) (string, error) {
	texts := make([]string, len(items))
	for i, item := range items {
		var err error
		if texts[i], err = repr(item); err != nil {
			return "", err
		}
	}
	return begin + strings.Join(texts, ", ") + end, nil
}

// reprFloat is float.__repr__: the shortest text that reads back, with an exponent
// below 1e-4 and from 1e16 on.
func reprFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// reprString is str.__repr__: in single quotes unless only they occur inside, with
// escapes for what is not printable.
func reprString(text string) string {
	quote := byte('\'')
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range text {
		switch {
		case r == '\\' || r == rune(quote):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// reprBytes is bytes.__repr__ without its b.
func reprBytes(raw []byte) string {
	quote := byte('\'')
	if strings.Contains(string(raw), "'") && !strings.Contains(string(raw), `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, c := range raw {
		switch {
		case c == '\\' || c == quote:
			b.Write([]byte{'\\', c})
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

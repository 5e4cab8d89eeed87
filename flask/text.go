package flask

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// rawUnicodeEscape decodes Python's raw-unicode-escape, in which protocol 0 writes a
// str: Latin-1 with \uXXXX and \UXXXXXXXX.
func rawUnicodeEscape(line string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		digits := 0
		if line[i] == '\\' && i+1 < len(line) {
			digits = map[byte]int{'u': 4, 'U': 8}[line[i+1]]
		}
		if digits == 0 {
			b.WriteRune(rune(line[i]))
			continue
		}
		if i+2+digits > len(line) {
			return "", errEscape
		}
		code, err := strconv.ParseUint(line[i+2:i+2+digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) || code > utf8.MaxRune {
			return "", errEscape
		}
		b.WriteRune(rune(code))
		i += 1 + digits
	}
	return b.String(), nil
}

var errEscape = corrupt("escape sequence of a pickle is malformed")

// simpleEscapes are those of Python's string literals that stand for one byte.
var simpleEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '\'': '\'', '"': '"', '0': 0, 'a': 7, 'b': 8, 'f': 12, 'v': 11}

// pythonLiteral decodes a quoted byte string, as Python 2 and its clients write it in
// protocol 0.
func pythonLiteral(line string) ([]byte, error) {
	if len(line) < 2 || line[0] != line[len(line)-1] || line[0] != '\'' && line[0] != '"' {
		return nil, errEscape
	}
	line = line[1 : len(line)-1]
	decoded := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			decoded = append(decoded, line[i])
			continue
		}
		if i++; i == len(line) {
			return nil, errEscape
		}
		if line[i] == 'x' && i+2 < len(line) {
			code, err := strconv.ParseUint(line[i+1:i+3], 16, 8)
			if err != nil {
				return nil, errEscape
			}
			decoded = append(decoded, byte(code))
			i += 2
			continue
		}
		char, ok := simpleEscapes[line[i]]
		if !ok {
			return nil, errEscape
		}
		decoded = append(decoded, char)
	}
	return decoded, nil
}

// latin1 encodes text in Latin-1, in which protocols 0 to 2 write bytes.
func latin1(text string) ([]byte, bool) {
	encoded := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false
		}
		encoded = append(encoded, byte(r))
	}
	return encoded, true
}

// fromLatin1 is the reverse of latin1.
func fromLatin1(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		b.WriteRune(rune(c))
	}
	return b.String()
}

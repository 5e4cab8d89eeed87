package driver

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Python's clients of some stores keep a counter as the pickle of an int. A backend in
// Flask mode converts it, so that the rest of the module counts decimal text as
// elsewhere. A pickle never begins with a digit or a minus sign: the two forms cannot be
// confused.

// IntegerToPickle returns the pickle of the integer in text, in protocol 4. If
// [ParseInteger] rejects text, it returns text itself.
func IntegerToPickle(text []byte) []byte {
	n, ok := ParseInteger(text)
	if !ok {
		return text
	}
	const proto, binInt1, binInt, long1, stop = 0x80, 'K', 'J', 0x8a, '.'
	pickle := []byte{proto, 4}
	switch {
	case n >= 0 && n <= math.MaxUint8:
		pickle = append(pickle, binInt1, byte(n))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		pickle = binary.LittleEndian.AppendUint32(append(pickle, binInt), uint32(n))
	default:
		pickle = binary.LittleEndian.AppendUint64(append(pickle, long1, 8), uint64(n))
	}
	return append(pickle, stop)
}

// IntegerFromPickle returns the decimal text of the int in pickle, which may have any
// protocol. If pickle is not that of an int in the range of int64, it returns pickle
// itself.
func IntegerFromPickle(pickle []byte) []byte {
	n, ok := parseIntegerPickle(pickle)
	if !ok {
		return pickle
	}
	return strconv.AppendInt(nil, n, 10)
}

func parseIntegerPickle(pickle []byte) (n int64, ok bool) {
	const longest = len("L-9223372036854775808L\n.")
	if len(pickle) < 3 || len(pickle) > longest || pickle[len(pickle)-1] != '.' {
		return 0, false
	}
	body := pickle[:len(pickle)-1]
	if body[0] == 0x80 { // PROTO, then perhaps FRAME with its length
		if body[1] > 5 {
			return 0, false
		}
		if body = body[2:]; len(body) > 9 && body[0] == 0x95 {
			if binary.LittleEndian.Uint64(body[1:]) != uint64(len(body)-9+1) {
				return 0, false
			}
			body = body[9:]
		}
	}
	if len(body) == 0 {
		return 0, false
	}
	op, rest := body[0], body[1:]
	switch {
	case op == 'K' && len(rest) == 1:
		return int64(rest[0]), true
	case op == 'M' && len(rest) == 2:
		return int64(binary.LittleEndian.Uint16(rest)), true
	case op == 'J' && len(rest) == 4:
		return int64(int32(binary.LittleEndian.Uint32(rest))), true
	case op == 0x8a && len(rest) > 0 && int(rest[0]) == len(rest)-1 && len(rest) <= 9:
		return twosComplement(rest[1:]), true
	case op == 'I' || op == 'L':
		return integerLine(op, rest)
	}
	return 0, false
}

// twosComplement returns the little-endian integer in at most eight bytes.
func twosComplement(raw []byte) (n int64) {
	if len(raw) > 0 && raw[len(raw)-1] >= 0x80 {
		n = -1
	}
	for i := len(raw) - 1; i >= 0; i-- {
		n = n<<8 | int64(raw[i])
	}
	return n
}

// integerLine parses the decimal text of the protocols 0 and 1. "00" and "01" are bools.
func integerLine(op byte, line []byte) (n int64, ok bool) {
	if len(line) == 0 || line[len(line)-1] != '\n' {
		return 0, false
	}
	line = line[:len(line)-1]
	if op == 'L' && len(line) > 0 && line[len(line)-1] == 'L' {
		line = line[:len(line)-1]
	}
	return ParseInteger(line)
}

package flask

import (
	"fmt"
	"math/big"
	"time"
)

// datetime writes the state that datetime.__reduce_ex__ returns.
func (w *writer) datetime(t time.Time) error {
	year, month, day := t.Date()
	if year < 1 || year > 9999 {
		return fmt.Errorf("year %d is not between 1 and 9999", year)
	}
	micros := t.Nanosecond() / 1000
	state := []byte{
		byte(year >> 8), byte(year), byte(month), byte(day), byte(t.Hour()), byte(t.Minute()), byte(t.Second()),
		byte(micros >> 16), byte(micros >> 8), byte(micros),
	}
	w.global("datetime", "datetime")
	if err := w.bytes(state); err != nil {
		return err
	}
	if t.Location() == Naive {
		w.buf = append(w.buf, opTuple1, opReduce)
		return nil
	}
	_, offset := t.Zone()
	err := w.call("datetime", "timezone", func() error {
		w.timedelta(time.Duration(offset) * time.Second)
		return nil
	})
	w.buf = append(w.buf, opTuple2, opReduce)
	return err
}

func (w *writer) date(d Date) error {
	if !d.isValid() {
		return fmt.Errorf("%v is not a date", d)
	}
	return w.call("datetime", "date", func() error {
		return w.bytes([]byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)})
	})
}

// timedelta writes days, seconds and microseconds, of which only days may be negative.
func (w *writer) timedelta(d time.Duration) {
	micros := d.Microseconds()
	const perDay = int64(24 * time.Hour / time.Microsecond)
	days := micros / perDay
	if micros %= perDay; micros < 0 {
		days, micros = days-1, micros+perDay
	}
	w.global("datetime", "timedelta")
	w.integer(days)
	w.integer(micros / 1e6)
	w.integer(micros % 1e6)
	w.buf = append(w.buf, opTuple3, opReduce)
}

func (w *writer) uuid(u UUID) error {
	w.global("uuid", "UUID")
	w.buf = append(w.buf, opEmptyTuple, opNewObj, opEmptyDict)
	if err := w.text("int"); err != nil {
		return err
	}
	w.bigInteger(new(big.Int).SetBytes(u[:]))
	w.buf = append(w.buf, opSetItem, opBuild)
	return nil
}

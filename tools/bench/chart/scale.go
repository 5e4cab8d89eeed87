package chart

import "math"

// scale maps values to a length in pixels.
type scale struct {
	low, high float64
	log       bool
	length    float64
}

// wide is the span from which a scale is logarithmic.
const wide = 10

// newScale covers low to high: logarithmic where that spans much, and otherwise
// from zero, as the lengths of bars are to be compared.
func newScale(low, high, length float64) scale {
	if low > 0 && high/low > wide {
		return logScale(low, high, length)
	}
	step := niceStep(high)
	return scale{0, math.Ceil(high/step-1e-9) * step, false, length}
}

func logScale(low, high, length float64) scale {
	if high/low > 30 {
		return scale{math.Pow(10, math.Floor(math.Log10(low)+1e-9)), high, true, length}
	}
	return scale{low, high, true, length}
}

func (s scale) at(v float64) float64 {
	if s.log {
		return s.length * math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	}
	return s.length * v / s.high
}

// niceStep is a round distance of some five ticks.
func niceStep(high float64) float64 {
	if high <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(high/4)))
	for _, step := range []float64{1, 2, 2.5, 5} {
		if high/(step*unit) <= 5 {
			return step * unit
		}
	}
	return 10 * unit
}

// ticks are round values within the scale, so many at most.
func (s scale) ticks(most int) []float64 {
	var all []float64
	if !s.log {
		step := niceStep(s.high)
		for i := 0; float64(i)*step <= s.high*(1+1e-9); i++ {
			all = append(all, float64(i)*step)
		}
		return thin(all, most)
	}
	for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		all = all[:0]
		for power := math.Floor(math.Log10(s.low)); power <= math.Log10(s.high)+1e-9; power++ {
			for _, step := range steps {
				if v := step * math.Pow(10, power); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
					all = append(all, v)
				}
			}
		}
		if len(all) <= most {
			return all
		}
	}
	return thin(all, most)
}

// thin leaves every second, third … tick out, until few enough are left.
func thin(all []float64, most int) []float64 {
	every := (len(all) + most - 1) / most
	var kept []float64
	for i := 0; i < len(all); i += max(every, 1) {
		kept = append(kept, all[i])
	}
	return kept
}

package result_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"powerspy2/internal/result"
)

func TestMoment(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, "null"},
		{time.Unix(0, 0), "0.000000"},
		{time.Unix(1772600767, 5_000), "1772600767.000005"},
		{time.Unix(-2, 500_000_000), "-1.500000"},
	} {
		text, err := json.Marshal(result.Moment(tt.at))
		if err != nil || string(text) != tt.want {
			t.Errorf("%v: got %s, %v, want %s", tt.at, text, err, tt.want)
		}
		var back result.Moment
		if err := json.Unmarshal(text, &back); err != nil || !time.Time(back).Equal(tt.at) {
			t.Errorf("%s: read as %v, %v", text, time.Time(back), err)
		}
	}
	for _, text := range []string{"1e12", "-1e11", `"x"`, "[]"} {
		if err := json.Unmarshal([]byte(text), new(result.Moment)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := result.Where(true, v); got != nil {
			t.Errorf("%v is %v", v, *got)
		}
	}
	if got := result.Where(true, 0); got == nil || *got != 0 {
		t.Errorf("0 is %v", got)
	}
	if got := result.Where(false, 1); got != nil {
		t.Errorf("what was not measured is %v", *got)
	}
}

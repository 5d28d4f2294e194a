package powerspy

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestHertz(t *testing.T) {
	tests := []struct {
		g     Generation
		count uint16
		want  float64
	}{
		{V1, 0x4E20, 50},
		{V2, 0x6C00, 50},
		{V1, 0x1F40, 125},
		{V2, 0x1F40, 172.8},
		{V2, 23040, 60},
		{V1, 0, math.Inf(1)},
		{V2, 0, math.Inf(1)},
	}
	for _, tt := range tests {
		if got := tt.g.hertz(tt.count); got != tt.want {
			t.Errorf("%v: %d is %g Hz, want %g", tt.g, tt.count, got, tt.want)
		}
	}
}

func TestFrequency(t *testing.T) {
	tests := []struct {
		g      Generation
		answer string
		want   float64
		err    error
	}{
		{V1, "<F4E20>", 50, nil},
		{V2, "<F6C00>", 50, nil},
		{V2, "<" + goldenFrame + ">\n\r<F6C00>", 50, nil},
		{V2, "<" + goldenIdentity + ">\n\r<F6C00>", 50, nil},
		{V1, "<F61A8>", 40, nil},
		{V1, "<F61A9>", 0, ErrNotUnderstood},
		{V1, "<F37CD>", 0, ErrNotUnderstood}, // 70.003 Hz
		{V1, "<F1F40>", 0, ErrNotUnderstood},
		{V2, "<F1F40>", 0, ErrNotUnderstood},
		{V2, "<F0000>", 0, ErrNotUnderstood},
		{V2, "<FFFFF>", 0, ErrNotUnderstood},
		{V2, "<F6c00>", 0, ErrNotUnderstood},
		{V2, "<F6C0>", 0, ErrNotUnderstood},
		{V2, "<6C00>", 0, ErrNotUnderstood},
		{V2, "<K>", 0, ErrNotUnderstood},
		{V2, "<Z>", 0, ErrRefused},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.g, tt.answer), func(t *testing.T) {
			c := play(t, script(synced, onWant("<F>", tt.answer))...)
			got, err := c.Frequency(t.Context(), tt.g)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Fatalf("unexpected frequency: %g, %v, want %g, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestFrequencyUnknownGeneration(t *testing.T) {
	if _, err := play(t).Frequency(t.Context(), 3); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("unexpected error: %v, want %v", err, ErrOutOfRange)
	}
}

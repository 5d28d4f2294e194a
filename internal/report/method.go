package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// How it was measured: paragraphs that can go into a paper.

// instrument tells which meter measured.
func instrument(m result.Meter) string {
	if m.Simulated {
		return "a simulated PowerSpy2 meter: no real energy was measured"
	}
	way := ""
	if m.Address != nil {
		way = ", over Bluetooth"
	}
	if unknownMeter(m) {
		return fmt.Sprintf("an Alciom PowerSpy2 power meter (%s, of unknown serial number and versions)%s", harmless.Text(m.Name), way)
	}
	return fmt.Sprintf("an Alciom PowerSpy2 power meter (%s, serial number %d, hardware version %d, firmware version %d, %s)%s",
		harmless.Text(m.Name), m.Serial, m.Hardware, m.Firmware, calibrated(m.Calibration), way)
}

// uncertaintyText tells what uncertainties hold; accuracy is the meter's class.
func uncertaintyText(accuracy float64) string {
	text := "Uncertainties are expanded ones with a coverage factor of 2 (about 95 %). They combine how the power ran within the windows that the ends of a time cut, what the load did during windows that were left out, the times of the windows with the constant delay of the link, and the steps in which the meter counts"
	if accuracy > 0 {
		return text + fmt.Sprintf(", with the meter's accuracy of %g %% of the reading as a rectangular distribution.", 100*accuracy)
	}
	return text + ". The meter's own accuracy, which is off by the same share in all that it measures, is not among them."
}

func (r *Report) recordingMethod(rec *Recording) []string {
	share := 100 * float64(rec.bridged) / float64(max(rec.windows+rec.bridged, 1))
	var b strings.Builder
	fmt.Fprintf(&b, "Electric power was measured at the mains by %s, from %s (%s).", instrument(rec.meterData()), r.stretch(rec.from, rec.to), figures.Duration(rec.total.Duration))
	fmt.Fprintf(&b, " The meter averages over windows of %s (%s at a mean mains frequency of %.3f Hz); the energy is the sum of their mean powers times their lengths.",
		periodsText(rec.averages), windowText(rec), rec.summary.Frequency())
	fmt.Fprintf(&b, " %s windows were measured", grouped(rec.windows))
	if rec.bridged > 0 {
		fmt.Fprintf(&b, ", and %s that the meter left out (%.2g %%) were bridged with the mean of their neighbours", grouped(rec.bridged), share)
	}
	fmt.Fprintf(&b, ". They cover %s of the time", percent(rec.coverage()))
	if rec.gapsCount > 0 {
		fmt.Fprintf(&b, "; what %s took is not made up", count(rec.gapsCount, "gap"))
	}
	b.WriteString(".")
	if d := rec.summary.Delay(0.5); d > 0 {
		fmt.Fprintf(&b, " Values reached the computer %.1f ms after the end of their window in the median (95 %%: %.1f ms); the times of windows are estimated from all arrivals.",
			milliseconds(d), milliseconds(rec.summary.Delay(0.95)))
	}
	if rec.baseline != nil {
		fmt.Fprintf(&b, " Net energies are above a baseline of %s", plusMinus(rec.baseline.Power, 2*rec.baseline.Uncertainty, "W"))
		if rec.baseline.Duration > 0 {
			fmt.Fprintf(&b, ", measured over %v from %s", rec.baseline.Duration.Round(time.Second), r.moment(rec.baseline.Start))
		}
		b.WriteString(".")
	}
	second := uncertaintyText(rec.accuracy) + " Recorded by powerspy " + harmless.Text(rec.header.Tool)
	if rec.header.Host != "" {
		second += " on " + harmless.Text(rec.header.Host)
	}
	if n := len(rec.headers); n > 1 {
		second += fmt.Sprintf(", in %d parts", n)
	}
	return []string{b.String(), second + r.evaluated()}
}

// evaluated tells by what and when the report was made.
func (r *Report) evaluated() string {
	return fmt.Sprintf("; evaluated by powerspy %s on %s.", harmless.Text(r.Tool), r.Made.In(r.Zone).Format(time.DateOnly))
}

func periodsText(periods []int) string {
	slices.Sort(periods)
	switch n := len(periods); {
	case n == 0:
		return "a whole number of mains periods"
	case n == 1:
		return count(periods[0], "mains period")
	default:
		return fmt.Sprintf("%d to %d mains periods", periods[0], periods[n-1])
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// percent writes a share, and never takes what is nearly all for all.
func percent(share float64) string {
	if share >= 1 {
		return "all"
	}
	return fmt.Sprintf("%.4g %%", math.Min(100*share, 99.99))
}

func (r *Report) jobMethod(o *result.Job) []string {
	var b strings.Builder
	who := "a PowerSpy2 power meter"
	if o.Meter != nil {
		who = instrument(*o.Meter)
	}
	fmt.Fprintf(&b, "Electric power was measured at the mains by %s, while the command ran, from %s.", who, r.stretch(time.Time(o.Start), time.Time(o.End)))
	fmt.Fprintf(&b, " %s of the meter's windows cover %s of the time", grouped(o.Windows), percent(o.Coverage))
	if o.Bridged > 0 {
		fmt.Fprintf(&b, "; %s that it left out were bridged with the mean of their neighbours", grouped(o.Bridged))
	}
	b.WriteString(".")
	accuracy := "Uncertainties are expanded ones with a coverage factor of 2 (about 95 %)."
	return []string{b.String(), accuracy + " Measured by powerspy " + harmless.Text(o.Tool.Version) + r.evaluated()}
}

func (r *Report) benchMethod(b *bench.Result) []string {
	var t strings.Builder
	runs, executions, windows, bridged := 0, 0, 0, 0
	for _, s := range b.Series {
		for i := range s.Runs {
			runs++
			executions += s.Runs[i].Executions
			windows += s.Runs[i].Windows
			bridged += s.Runs[i].Bridged
		}
	}
	fmt.Fprintf(&t, "%s ran %s altogether", count(len(b.Series), "command"), count(runs, "time"))
	if len(b.Series) > 1 {
		fmt.Fprintf(&t, ", in %s order", b.Order)
	}
	fmt.Fprintf(&t, ", while electric power was measured at the mains by %s", instrument(b.Meter))
	if from, to := (&Report{Zone: r.Zone, Benches: []Bench{{Result: b}}}).span(); !from.IsZero() {
		fmt.Fprintf(&t, ", from %s", r.stretch(from, to))
	}
	t.WriteString(".")
	if executions > runs {
		fmt.Fprintf(&t, " Short commands were executed again and again within a run of at least %v, %s executions in all; figures are those of one execution.", b.MinTime, grouped(executions))
	}
	if windows > 0 {
		fmt.Fprintf(&t, " %s of the meter's windows were measured in the runs", grouped(windows))
		if bridged > 0 {
			fmt.Fprintf(&t, ", and %s that it left out were bridged with the mean of their neighbours", grouped(bridged))
		}
		t.WriteString(".")
	}
	if b.Baseline != nil {
		fmt.Fprintf(&t, " Net energies are above a baseline of %s.", plusMinus(b.Baseline.Power, 2*b.Baseline.Uncertainty, "W"))
	}
	second := "Intervals of means are 95 % confidence intervals by Student's t over the runs, to which the systematic part of the measuring uncertainty is added."
	if len(b.Series) > 1 {
		if b.Order.Rounds() {
			second += " Ratios are those of the runs of the same round (mean of log-ratios, Student's t), so that what drifts slowly cancels."
		} else {
			second += " Ratios are those of the means, with Welch's degrees of freedom and the delta method."
		}
		second += " A difference is told where the interval of the ratio does not hold 1."
	}
	if b.Accuracy > 0 {
		second += fmt.Sprintf(" The meter's accuracy of %g %% of the reading is counted in.", 100*b.Accuracy)
	} else {
		second += " The meter's own accuracy is not counted in."
	}
	if b.DelayKnown {
		second += fmt.Sprintf(" The constant delay of the link was given as %v.", b.Delay)
	} else {
		second += " The constant delay of the link is taken to be between 0 and 20 ms."
	}
	second += " Measured by powerspy " + harmless.Text(b.Tool)
	if b.Host != "" {
		second += " on " + harmless.Text(b.Host)
	}
	return []string{t.String(), second + r.evaluated()}
}

package powerspy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

func Example() {
	host, meter := net.Pipe() // any net.Conn does
	go serve(meter)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := powerspy.NewClient(host, nil)
	defer c.Close()

	id, err := c.Identity(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if id.Status == powerspy.Streaming { // to a client that is gone
		if err := c.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	both, err := c.Calibration(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	cal, _, err := both.InForce()
	if err != nil {
		log.Fatal(err)
	}

	r, err := c.StartRealtime(ctx, 50)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		f, err := r.Next(time.Now().Add(3 * time.Second))
		if err != nil {
			log.Fatal(err)
		}
		m := cal.Convert(f.Frame)
		fmt.Printf("%.1f V %.3f A %.1f W\n", m.Voltage, m.Current, m.Power)
	}
	if err := r.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 230.7 V 0.783 A 171.1 W
	// 230.7 V 0.783 A 171.1 W
	// 230.7 V 0.783 A 171.1 W
}

// A capture of ten mains periods, and the power from its samples.
func ExampleClient_ReadCaptureBinary() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	link, err := sim.New(sim.Config{Power: 200}).Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := powerspy.NewClient(link, nil)
	defer c.Close()

	both, err := c.Calibration(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	cal, _, err := both.InForce()
	if err != nil {
		log.Fatal(err)
	}
	hertz, err := c.Frequency(ctx)
	if err != nil {
		log.Fatal(err)
	}

	const periods = 10
	if err := c.SetCaptureLength(ctx, periods); err != nil {
		log.Fatal(err)
	}
	thresholds, err := cal.Counts(powerspy.Thresholds{CurrentAbove: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.SetTrigger(ctx, powerspy.Trigger{Enabled: true, Thresholds: thresholds}); err != nil {
		log.Fatal(err)
	}
	if err := c.StartCapture(ctx); err != nil {
		log.Fatal(err)
	}
	if err := c.WaitCapture(ctx, nil); err != nil {
		log.Fatal(err)
	}
	capture, err := c.ReadCaptureBinary(ctx, periods)
	if err != nil {
		log.Fatal(err)
	}
	samples := capture.Samples(cal, hertz)
	var power float64
	for _, s := range samples {
		power += s.Voltage * s.Current / float64(len(samples))
	}
	fmt.Printf("%d samples, one every %.2f µs, %.0f W\n", len(samples), 1e6*capture.Interval(hertz), power)
	// Output:
	// 2560 samples, one every 78.12 µs, 200 W
}

// The files on the SD card, read into memory.
func ExampleClient_ReadFile() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	link, err := sim.New(sim.Config{Files: []int{0, 5000}}).Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := powerspy.NewClient(link, nil)
	defer c.Close()

	list, err := c.ListFiles(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range list.Files {
		var content bytes.Buffer
		err := c.ReadFile(ctx, f, &content, func(written int64) {
			fmt.Printf("%s: %d of %d bytes\n", f.Name, written, f.Size)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 120901.DAT: 0 of 0 bytes
	// 120902.DAT: 2047 of 5000 bytes
	// 120902.DAT: 4095 of 5000 bytes
	// 120902.DAT: 5000 of 5000 bytes
}

// A transport of one's own is an io.ReadWriteCloser with deadlines, of which
// most have some already. This one counts the bytes that come over another.
func ExampleNewClient() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	link, err := sim.New(sim.Config{Serial: 4567}).Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	counted := &countingLink{Link: link}
	c := powerspy.NewClient(counted, nil)
	defer c.Close()

	id, err := c.Identity(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("serial number %d, told in %d bytes\n", id.Serial, counted.received)
	// Output:
	// serial number 4567, told in 50 bytes
}

type countingLink struct {
	powerspy.Link // SetReadDeadline must end a Read that is waiting
	received      int
}

func (l *countingLink) Read(p []byte) (int, error) {
	n, err := l.Link.Read(p)
	l.received += n
	return n, err
}

func ExampleParseFrame() {
	cal := powerspy.Calibration{Voltage: 0.08154758810997009, Current: 0.0005449772579595447}
	f, err := powerspy.ParseFrame([]byte("007A1FCA 001F82FB 003AC29C 0FA9 0AB5"))
	if err != nil {
		log.Fatal(err)
	}
	m := cal.Convert(f)
	fmt.Printf("%.3f V, %.6f A, %.3f W\n", m.Voltage, m.Current, m.Power)
	fmt.Printf("peaks %.3f V, %.6f A\n", m.VoltagePeak, m.CurrentPeak)
	// Output:
	// 230.702 V, 0.783166 A, 171.140 W
	// peaks 326.924 V, 1.493783 A
}

// serve plays a meter with just enough answers for the example.
func serve(conn net.Conn) {
	defer conn.Close()
	const calibration = "6C02A73DCEDC0E3ADC07081E" // at 0x02 and at 0x0E
	for r := bufio.NewReader(conn); ; {
		request, err := r.ReadString('>')
		if err != nil {
			return
		}
		answer := "<K>\n\r"
		switch request[1] {
		case '?':
			answer = "<POWERSPYR0100350304D2>\n\r"
		case 'V':
			var addr int
			if _, err := fmt.Sscanf(request, "<V%X>", &addr); err != nil {
				return
			}
			at := 2 * ((addr - 2) % 12)
			answer = "<" + calibration[at:at+2] + ">\n\r"
		case 'J':
			for range 3 {
				answer += "<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>\n\r"
			}
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

package powerspy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"powerspy2/powerspy"
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
	if id.Status == powerspy.Streaming { // to a client that is no more
		if err := c.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	both, err := c.Calibration(ctx)
	if err != nil {
		log.Fatal(err)
	}
	cal, _, err := both.InForce()
	if err != nil {
		log.Fatal(err)
	}

	r, err := c.StartRealtime(ctx, id.Generation(), 50)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		f, _, err := r.Next(time.Now().Add(3 * time.Second))
		if err != nil {
			log.Fatal(err)
		}
		m := cal.Convert(f)
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

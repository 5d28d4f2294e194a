package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"powerspy2/internal/field"
)

func readField(t *testing.T, path string) *field.File {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := field.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A field test writes its file, and says in short what is in it; a simulated
// meter behaves by it.
func TestFieldtest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "field.json")
	vars := map[string]string{runtimeDir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		stdout, stderr, status := inProcess(t, vars, "fieldtest", "-o", path, "--device", "sim:link=b,files=5000/9000")
		if status != 0 {
			t.Fatalf("status %d, stderr %s", status, stderr)
		}
		for _, want := range []string{
			"meter         V2, firmware 0x35, hardware 0x03\n", "EEPROM        256 bytes\n", "SD card       2 files\n", "\n50 periods ",
			"Written to " + path + ". Serial number and addresses in it are stand-ins.\n", "powerspy measure --device sim:field=" + path + "\n",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("there is no %q in:\n%s", want, stdout)
			}
		}
		if want := "powerspy: streaming windows of 50 mains periods, for 20s\n"; !strings.Contains(stderr, want) {
			t.Errorf("there is no %q in:\n%s", want, stderr)
		}
		f := readField(t, path)
		if f.Meter.Serial != 1 || !f.Disguised || f.Interrupted || len(f.Streams) != 6 || f.Card.First.Name != "120901.DAT" {
			t.Errorf("unexpected file: %+v", f.Meter)
		}

		stdout, stderr, status = inProcess(t, vars, "info", "--device", "sim:field="+path)
		if status != 0 || !strings.Contains(stdout, "serial number        1\n") {
			t.Errorf("status %d, stdout %s, stderr %s", status, stdout, stderr)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, stderr, status := inProcess(t, vars, "fieldtest", "-o", path, "--device", "sim:")
		if want := "powerspy: " + path + " already exists; give another file, or add --force to replace it\n"; status != 1 || stderr != want {
			t.Errorf("status %d, stderr %q, want %q", status, stderr, want)
		}
		stdout, stderr, status := inProcess(t, vars, "fieldtest", "-q", "-o", "-", "--keep-identity", "--device", "sim:link=ideal,gen=1")
		f, err := field.Read(strings.NewReader(stdout))
		if status != 0 || err != nil || f.Meter.Serial != 4567 || f.Disguised || !strings.Contains(stderr, "Written to standard output. The serial number and the addresses are in it.\n") {
			t.Errorf("status %d, error %v, stderr %s", status, err, stderr)
		}
		refused := filepath.Join(t.TempDir(), "refused.json")
		_, stderr, status = inProcess(t, vars, "fieldtest", "-q", "--force", "-o", refused, "--device", "sim:link=ideal,refuse=J")
		if status != 6 || !strings.Contains(stderr, "no window was measured; the file tells why") {
			t.Errorf("status %d, stderr %s", status, stderr)
		}
		if f := readField(t, refused); f.Streams[0].Status != field.Refused {
			t.Errorf("unexpected outcome: %+v", f.Streams[0].Outcome)
		}
	})
}

// A file that can't be written after all does not cost what was found.
func TestFieldtestKeepsFindings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	var out bytes.Buffer
	a := &app{env: env{stdout: &out}}
	found := &field.File{Format: field.Format, Version: field.Version, Meter: field.Meter{Generation: 2, Frequency: 50}}
	err := a.saveField(newFile{name: filepath.Join(dir, "field.json")}, found)
	if err == nil || !strings.Contains(sentence(err), "what was found is on standard output instead") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unexpected error: %v", err)
	}
	if _, err := field.Read(&out); err != nil {
		t.Error(err)
	}
}

// Ctrl-C ends it with exit status 0, keeps what was found, says so, and leaves
// the meter stopped.
func TestFieldtestInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "field.json")
	p := start(t, "fieldtest", "--verbose", "-o", path, "--device", quickSim)
	var told strings.Builder
	for {
		line, err := p.stderr.ReadString('\n')
		if err != nil {
			t.Fatalf("%v; told: %s", err, told.String())
		}
		told.WriteString(line)
		// Some frames of the first stream.
		if strings.Contains(told.String(), "> <J0001>") && strings.HasPrefix(line, "< <00") {
			break
		}
	}
	p.signal(syscall.SIGINT)
	rest := new(bytes.Buffer)
	if _, err := rest.ReadFrom(p.stderr); err != nil {
		t.Fatal(err)
	}
	said := new(bytes.Buffer)
	if _, err := said.ReadFrom(p.stdout); err != nil {
		t.Fatal(err)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("unexpected end: %v", got)
	}
	if !strings.Contains(rest.String(), "> <Q>") || !strings.Contains(said.String(), "Interrupted: what was found until then is kept.\nWritten to "+path) {
		t.Errorf("stdout %s, stderr %s", said, rest)
	}
	f := readField(t, path)
	if !f.Interrupted || len(f.Streams) != 6 || f.Streams[0].Figures.Frames == 0 || f.Streams[0].Error != "interrupted" || f.Streams[1].Status != field.NotAsked || f.EEPROM.Status != field.Done {
		t.Errorf("unexpected file: %+v", f)
	}
}

"""Tests provider.py, in the folder given, with a stub of the Green Metrics Tool."""
import os
import shlex
import signal
import subprocess
import sys
import types
import unittest
import unittest.mock

FOLDER = os.path.abspath(sys.argv.pop(1))


class ConfigurationError(Exception):
    pass


class Base:
    """Takes what the tool's base class takes, and notes what is asked of it."""

    def __init__(self, *, metric_name, metrics, sampling_rate, unit, current_dir, folder,
                 metric_provider_executable='metric-provider-binary', sudo=False, disable_buffer=True, skip_check=False):
        self.taken = dict(locals())
        self.checks = []
        self._sampling_rate = sampling_rate
        self._current_dir = current_dir
        self._executable = metric_provider_executable
        self._ps = None
        if not skip_check:
            self.check_system()

    def check_system(self, check_command='default', check_error_message=None, check_parallel_provider=True):
        self.checks.append((check_command, check_parallel_provider))
        return True

    def start(self, program):
        """Starts a shell program as the tool does: below a shell, in a session of its own."""
        self._ps = subprocess.Popen(['sh', '-c', f"sh -c '{program}'; exit"], stdout=subprocess.PIPE, start_new_session=True)
        self._ps.stdout.readline()  # what it writes when it is ready
        return self._ps

    def stop_profiling(self):
        """Waits for the shell alone, as the tool does."""
        if self._ps is not None:
            os.killpg(self._ps.pid, signal.SIGTERM)
            self._ps.wait()
            self._ps = None

    def command(self):
        call = f'{self._current_dir}/{self._executable} -i {self._sampling_rate}'
        return shlex.split(self._add_extra_switches(call))[1:]


stub = types.ModuleType('metric_providers.base')
stub.BaseMetricProvider = Base
stub.MetricProviderConfigurationError = ConfigurationError
sys.modules['metric_providers'] = types.ModuleType('metric_providers')
sys.modules['metric_providers.base'] = stub
sys.path.insert(0, FOLDER)

import provider  # pylint: disable=wrong-import-position


def make(**config):
    # The tool derives the name of the class from that of the metric.
    name = ''.join(word.capitalize() for word in 'psu_energy_ac_powerspy2_machine'.split('_')) + 'Provider'
    return getattr(provider, name)(**{'sampling_rate': 250, 'folder': '/tmp', **config})


class ProviderTest(unittest.TestCase):
    def test_contract(self):
        taken = make().taken
        self.assertEqual(taken['metric_name'], 'psu_energy_ac_powerspy2_machine')
        self.assertEqual(taken['unit'], 'uJ')
        self.assertEqual(taken['metrics'], {'time': int, 'value': int})
        self.assertEqual(taken['sampling_rate'], 250)
        self.assertEqual(taken['current_dir'], FOLDER)
        self.assertFalse(taken['sudo'])
        self.assertTrue(os.access(os.path.join(FOLDER, taken['metric_provider_executable']), os.X_OK))

    def test_command(self):
        self.assertEqual(make().command(), ['-i', '250', '-u', 'uJ'])
        for key in 'address', 'device':
            for meter in '00:0B:CE:07:1D:32', 'PowerSpy 4567; true':
                self.assertEqual(make(**{key: meter}).command(), ['-i', '250', '-u', 'uJ', '--device', meter])

    def test_check(self):
        exe = os.path.join(FOLDER, 'powerspy2-machine-provider')
        self.assertEqual(make(address='rack').checks, [
            (None, True),
            ([exe, '-c', '-i', '250', '-u', 'uJ', '--device', 'rack'], False),
        ])
        self.assertEqual(make(skip_check=True).checks, [])

    def test_two_meters(self):
        with self.assertRaises(ConfigurationError):
            make(address='a', device='b')

    def test_stop(self):
        p = make()
        with p.start('trap "sleep 0.3; echo last; exit" TERM; echo ready; while :; do sleep 0.01; done').stdout as out:
            p.stop_profiling()
            os.set_blocking(out.fileno(), False)
            self.assertEqual(out.read(), b'last\n', 'the provider has not ended')

    def test_stop_of_one_that_does_not_end(self):
        p = make()
        ps = p.start('trap "" TERM; echo ready; while :; do sleep 0.01; done')
        self.addCleanup(os.killpg, ps.pid, signal.SIGKILL)
        with ps.stdout, unittest.mock.patch.object(provider, 'STOP_SECONDS', 0.05):
            p.stop_profiling()

    def test_stop_of_none(self):
        make().stop_profiling()


unittest.main()

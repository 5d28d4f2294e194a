"""Metric provider of the Green Metrics Tool for an Alciom PowerSpy2.

The energy comes from `powerspy gmt`, which the executable beside this file runs.
"""
import os
import shlex
import time

from metric_providers.base import BaseMetricProvider, MetricProviderConfigurationError

EXECUTABLE = 'powerspy2-machine-provider'

# How long the executable may take to end: as long as the tool gives to any.
STOP_SECONDS = 10


class PsuEnergyAcPowerspy2MachineProvider(BaseMetricProvider):
    """Energy in uJ of what is plugged into the meter.

    address and device both name the meter: by its address, its name, or
    whatever else `powerspy --device` takes. Without them it is the one that
    `powerspy setup` has remembered.
    """

    def __init__(self, sampling_rate, folder, skip_check=False, address=None, device=None):
        if address and device:
            raise MetricProviderConfigurationError(
                'psu_energy_ac_powerspy2_machine: address and device both name a meter; give one of them in config.yml')
        self._switches = ['-u', 'uJ']
        if address or device:
            self._switches += ['--device', str(address or device)]
        # This checks the system, and so comes last.
        super().__init__(
            metric_name='psu_energy_ac_powerspy2_machine',
            metrics={'time': int, 'value': int},
            sampling_rate=sampling_rate,
            unit='uJ',
            current_dir=os.path.dirname(os.path.abspath(__file__)),
            metric_provider_executable=EXECUTABLE,
            skip_check=skip_check,
            folder=folder,
        )

    def check_system(self, check_command='default', check_error_message=None, check_parallel_provider=True):
        # A run that was left over has the meter, so it has to be looked for
        # before the meter is tried.
        super().check_system(check_command=None, check_parallel_provider=check_parallel_provider)
        if check_command == 'default':
            check_command = [os.path.join(self._current_dir, EXECUTABLE), '-c', '-i', str(self._sampling_rate), *self._switches]
        return super().check_system(check_command, check_error_message, check_parallel_provider=False)

    def _add_extra_switches(self, call_string):
        return f'{call_string} {shlex.join(self._switches)}'

    def stop_profiling(self):
        # The tool waits for the shell that it starts, which ends before what
        # runs below it. That tells the meter to stop, which takes up to some
        # seconds; meanwhile the last row may be missing, and the tool would
        # refuse its next run because of a provider that is still there.
        group = self._ps.pid if self._ps else None  # in a session of its own
        super().stop_profiling()
        deadline = time.monotonic() + STOP_SECONDS
        while group and exists(group) and time.monotonic() < deadline:
            time.sleep(0.01)


def exists(group):
    """Report whether there are processes of a group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

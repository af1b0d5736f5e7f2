"""SPAct: learn to anonymize video without privacy labels, and measure what is left.

What most people type is here, and loaded when it is first used: `spact.load_model('light')` imports torch, `import
spact` does not. Everything else is in the modules, such as `spact.minimax.step_a`."""
__version__ = "0.1.0"
from typing import TYPE_CHECKING

_HOME = dict( # name -> (module, name there)
    load_model=('models', 'load_model'), anonymize_video=('anonymize', 'anonymize_video'),
    read_manifest=('manifest', 'read_manifest'), read_results=('results', 'read_results'),
    train=('demo', 'train_folder'), evaluate=('demo', 'evaluate_folder'), audit=('demo', 'audit_folder'))
__all__ = ['anonymize_video', 'audit', 'evaluate', 'load_model', 'read_manifest', 'read_results', 'train']

if TYPE_CHECKING: # the same for editors and type checkers, which run nothing
    from .anonymize import anonymize_video
    from .demo import audit_folder as audit
    from .demo import evaluate_folder as evaluate
    from .demo import train_folder as train
    from .manifest import read_manifest
    from .models import load_model
    from .results import read_results


def __getattr__(name):
    if name not in _HOME: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module
    module, there = _HOME[name]
    globals()[name] = found = getattr(import_module(f'{__name__}.{module}'), there)
    return found


def __dir__(): return sorted({*globals(), *_HOME})

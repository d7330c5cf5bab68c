"""The laboratory: which heads are gaze heads, what steering them is worth, and the page that shows it.

In the order of the work:

- What is looked at: ``view``, ``picture``, ``item``, ``corpus``, ``material``, ``coco``, ``objects``, ``sheet``,
  ``edits``.
- Finding heads: ``discovery_options``, ``naming``, ``familiarity``, ``understanding``, ``attention``, ``components``,
  ``ranking``, ``comparison``, ``settling``, ``forced``, ``torch_model``, ``gradient``, ``difference``, ``slopes``,
  ``slope_ranking``, ``scoring``, ``rankings``, ``readers``, ``bench``, ``calibration``, ``verdict``, ``checkpoint``,
  ``work``, ``controls``, ``evidence``, ``discovery``, ``text``, ``results``.
- Asking: ``arms``, ``kinds``, ``protocols``, ``narration``, ``staircase``, ``sweeps``, ``experiments``, ``options``,
  ``job``, ``jobs``.
- Judging what was said: ``outcome``, ``reply``, ``judging``, ``choice``, ``endpoint``, ``fluency``, ``examiner``.
- Where it looked: ``reading``, ``intersection``.
- Telling: ``figures``, ``intervals``, ``evaluation``, ``tables``, ``readtable``, ``wording``, ``report``,
  ``examples``, ``svg``, ``charts``, ``page``.
"""

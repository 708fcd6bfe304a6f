{#- Refuse a day, with a sentence; a replay under way is undone first. -#}
{% macro _refuse(relation, state, sentence) %}
    {%- if state.replay -%}
        {% do run_query('restore table ' ~ relation ~ ' to version as of ' ~ state.replay) %}
    {%- endif -%}
    {% do exceptions.raise_compiler_error(
        sentence ~ (' The replay is undone, and the history is as it was before it.' if state.replay else '')
    ) %}
{% endmacro %}


{#-
  Refuse to guess when a day that the history should hold has landed late, or again with other content, or cannot be
  read now; and when a file lies where no day is. A replay takes care of its own days, later ones excepted.
-#}
{% macro _check_held_days(source, state, days, replay_from) %}
    {%- for landed in days if not landed.day -%}
        {% do exceptions.raise_compiler_error('The snapshots of ' ~ source.name ~ ' are refused, ' ~ landed.fault ~ '; move it to the folder of its day, or take it away.') %}
    {%- endfor -%}
    {%- for landed in days if landed.day and landed.fault and landed.is_listed and (landed.day <= state.through or (replay_from and landed.day >= replay_from)) -%}
        {% do exceptions.raise_compiler_error('The snapshot of ' ~ source.name ~ ' of ' ~ landed.day ~ ' is refused, ' ~ landed.fault
            ~ '; put back what was there, mend it, or take its folder away.') %}
    {%- endfor -%}
    {%- for landed in days if landed.day and landed.day <= state.through -%}
        {%- set is_held = landed.known is not none -%}
        {%- set is_changed = is_held and landed.content is not none and landed.known[0] != landed.content -%}
        {%- if (is_changed or (not is_held and landed.is_listed)) and not (replay_from and landed.day >= replay_from) -%}
            {% do exceptions.raise_compiler_error(
                'The snapshot of ' ~ source.name ~ ' of ' ~ landed.day ~ (' was delivered again with other content' if is_held else ' landed late')
                ~ ', and the history goes on to ' ~ state.through ~ ": play it again from there with 'strata replay --source "
                ~ source.name ~ ' --from ' ~ landed.day ~ "'."
            ) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#-
  The gates of a day: a sentence when it may not be taken, else none (`figures` as _day_figures gives them). What was once
  taken with the same content and the same fault stays in; a day that was taken and whose folder has gone since is as it was
  judged then, for nobody can deliver it again.
-#}
{% macro _gate(source, day, figures, known) %}
    {%- set may_removed = _limit_of(source, 'max_removed_share') | float -%}
    {%- set may_quarantined = _limit_of(source, 'max_quarantined_share') | float -%}
    {%- set was_let_in = known is not none and known[0] == day.content -%}
    {%- if was_let_in and not day.is_listed -%}
        {{ return(none) }}
    {%- elif figures.row_count == 0 -%}
        {%- if not _limit_of(source, 'allow_empty_snapshot') and not was_let_in -%}
            {{ return(
                'The snapshot of ' ~ source.name ~ ' of ' ~ day.day ~ ' is empty, and would end all ' ~ figures.current_count
                ~ ' current ' ~ source.name ~ ': deliver it again, or take it as it is with '
                ~ _how_to_set(source, 'allow_empty_snapshot', 'true') ~ '.'
            ) }}
        {%- endif -%}
    {%- elif figures.quarantined_share > may_quarantined and not (was_let_in and known[2] > may_quarantined) -%}
        {{ return(
            'Of the ' ~ figures.row_count ~ ' rows of ' ~ day.day ~ ' ' ~ figures.quarantined_row_count
            ~ ' are to be quarantined, more than max_quarantined_share (' ~ _limit_of(source, 'max_quarantined_share')
            ~ ') allows: deliver it again, or take it as it is with ' ~ _how_to_set(source, 'max_quarantined_share', 1) ~ '.'
        ) }}
    {%- elif figures.removed_share > may_removed and not (was_let_in and known[1] > may_removed) -%}
        {{ return(
            'The snapshot of ' ~ source.name ~ ' of ' ~ day.day ~ ' lacks ' ~ figures.removed_count ~ ' of the ' ~ figures.current_count
            ~ ' current ' ~ source.name ~ ', more than max_removed_share (' ~ _limit_of(source, 'max_removed_share')
            ~ ') allows: deliver it again, or take it as it is with ' ~ _how_to_set(source, 'max_removed_share', 1) ~ '.'
        ) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{#- What the gates look at, of a day: its counts, and the shares that they are of the whole. -#}
{% macro _day_figures(row_count, quarantined_row_count, current_count, removed_count) %}
    {{ return({
        'row_count': row_count,
        'quarantined_row_count': quarantined_row_count,
        'quarantined_share': quarantined_row_count / row_count if row_count else 0,
        'current_count': current_count,
        'removed_count': removed_count,
        'removed_share': removed_count / current_count if current_count else 0,
    }) }}
{% endmacro %}


{#- What the history's record keeps of a day that it takes; the largest shares of the same content stay. -#}
{% macro _taken(day, figures, known) %}
    {%- set before = known if known is not none and known[0] == day.content else [day.content, 0, 0] -%}
    {{ return([
        day.content,
        [before[1], figures.removed_share] | max,
        [before[2], figures.quarantined_share] | max,
    ]) }}
{% endmacro %}


{#- Warn when a day lacks a column beside the source's own that the day taken before it had. -#}
{% macro _warn_of_columns_gone(source, days, day, state) %}
    {%- for before in days if before.day == state.through and day.row_count -%}
        {%- set gone = before.other_columns | reject('in', day.other_columns) | list -%}
        {%- if gone -%}
            {% do exceptions.warn(
                'The snapshot of ' ~ source.name ~ ' of ' ~ day.day ~ ' has no column ' ~ gone | join(', ') ~ ', which that of ' ~ before.day
                ~ ' had: it is null in the versions opened from now on.'
            ) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

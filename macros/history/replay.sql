{#- Set the history back to before a day; the rows follow when the first day is taken. -#}
{% macro _start_replay(relation, state, replay_from) %}
    {%- if not state.replay -%}
        {% do state.update({'replay': _newest_version(relation).version}) %}
    {%- endif -%}
    {%- set before = run_query(
        'select cast(max(landed_on) as string) from (' ~ _known_days(state) ~ ") where landed_on < date'" ~ replay_from ~ "'"
        ~ " and cast(landed_on as string) <= '" ~ state.through ~ "'"
    )[0][0] -%}
    {% do _begin_generation(state) %}
    {% do state.update({'through': before or ''}) %}
    {% do _set_history_state(relation, state) %}
{% endmacro %}


{#-
  Take out what was recorded after the last day that the history holds (all, where it holds none): what was opened later
  goes, what was closed later is open again, in one commit. Such rows were left by a run that was killed, or are to be
  played again.
-#}
{% macro _rewind_history(relation, state) %}
    {%- set after = "> date'" ~ state.through ~ "'" if state.through else 'is not null' -%}
    {%- set left = run_query(
        'select count(*) from ' ~ relation ~ ' where recorded_on ' ~ after ~ ' or closed_on ' ~ after
    )[0][0] -%}
    {%- if left -%}
        {% call statement('rewind_history') -%}
            merge into {{ relation }} as history
            using (select 1 as one) as always
            on history.recorded_on {{ after }} or history.closed_on {{ after }}
            when matched and history.recorded_on {{ after }} then delete
            when matched then update set valid_to = null, closed_on = null
        {%- endcall %}
    {%- endif -%}
{% endmacro %}

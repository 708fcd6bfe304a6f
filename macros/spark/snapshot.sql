{#-
  The snapshot materialization of this project: dbt's `check` strategy, made safe for daily full deliveries. It is for
  snapshots that bear the name of a source that is declared as a daily snapshot; any other is dbt-spark's own.

  Why not dbt-spark's (checked on dbt-adapters 1.24.5, dbt-spark 1.11.0): it dates versions by the wall clock, takes any
  delivery in any order, ends every row for an empty one, and fails for ever on a corrected one (dbt-core#7138,
  dbt-adapters#1329, #1401, #1759, #2101); and it evaluates the query three times. From dbt's strategy comes
  the comparison of `check_cols`, null-safe; macros/history holds the rest. The key of a version is the
  source's key and the version's number, so that dbt's hash of both is not kept: random text was half of what a MERGE writes.

  What a run does, by the variable `history`:
    (not set): load what has landed and take the oldest pending day, or the one that `snapshot_date` names
    catch-up: take every pending day; replay: the same, from `replay_from` on, whatever the history held of it
    rebuild: put the whole history, as one statement derives it from raw, in the place of what is there
-#}
{% materialization snapshot, adapter='spark' %}
    {%- set source = declared(model.name) -%}
    {%- if source is none or source.arrives != 'daily_snapshot' -%}
        {{ return(dbt.materialization_snapshot_spark()) }}
    {%- endif -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set settled = history_config(source.name) -%}
    {%- for name in ('unique_key', 'strategy', 'check_cols', 'hard_deletes') if config.get(name) != settled[name] -%}
        {% do exceptions.raise_compiler_error(
            'Snapshot ' ~ model.name ~ ' has another ' ~ name ~ ' than its source declares: configure it by history_config(\''
            ~ source.name ~ "') alone, and mend the declaration."
        ) %}
    {%- endfor -%}
    {%- if flags.EMPTY -%}
        {% do exceptions.raise_compiler_error(
            'With --empty a snapshot would find nothing delivered: run it without, the history is as it was.'
        ) %}
    {%- endif -%}
    {%- if flags.FULL_REFRESH -%}
        {{ log("--full-refresh leaves the history " ~ relation ~ " as it is: 'strata rebuild' makes it anew.", info=True) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}

    {% do _load_source(source) %}
    {%- if load_relation(relation) is none -%}
        {% do _create_delta_table(model, relation, _empty_history(source, compiled_code)) %}
    {%- endif -%}
    {% do take_over_days_as_text() %}
    {%- set state = _history_state(relation) -%}
    {%- set mode = var('history') or '' -%}
    {%- if mode == 'rebuild' -%}
        {% do _rebuild_history(source, relation, state, compiled_code) %}
    {%- else -%}
        {% do _take_pending_days(source, relation, state, mode, compiled_code) %}
    {%- endif -%}
    {% call noop_statement('main', 'OK') -%} {%- endcall %}

    {% do apply_grants(relation, config.get('grants'), true) %}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#-
  Carry the actions of a rollback out, as python/strata/rollback.py plans them; `strata rollback` calls it. The first may have been done
  already, or half: a rollback that was killed goes on with the action after the last that was noted.
-#}
{% macro restore_tables(actions) %}
    {#- Commits bear the run; of an operation no hook has said it. -#}
    {% do run_query(sign_commits()) %}
    {%- for action in actions -%}
        {%- set to = action['to'] -%}
        {%- if action.does == 'rename' -%}
            {% do _rename_table(action.schema, action['from'], to) %}
        {%- elif to is not none -%}
            {%- set relation = _table_named(action) -%}
            {% do run_query(
                'restore table ' ~ relation ~ ' to version as of ' ~ to if action.does == 'restore'
                else 'create or replace view ' ~ relation ~ ' as ' ~ to
            ) %}
        {%- endif -%}
        {% do modules.strata.note_done() %}
    {%- endfor -%}
{% endmacro %}


{#-
  Give a table another name: its folder goes first, and then the entries of the metastore follow. Hive's own renaming fails in object
  stores, where it copies what stands for folders too.
-#}
{% macro _rename_table(schema, name, other) %}
    {%- set folder = modules.strata.move_table(schema, name, other) -%}
    {% do run_query('drop table if exists ' ~ _table_named({'schema': schema, 'name': name})) %}
    {% do _register_table(_table_named({'schema': schema, 'name': other}), folder) %}
{% endmacro %}
